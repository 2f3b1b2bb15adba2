//! The six mock services of the order saga, as the command line wants them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use engine_cli::clap::{ArgMatches, Args, Command, FromArgMatches};
use engine_cli::{Mocks, async_trait};
use mock_services::{Arguments, Fault, MockServices, Options, Ports};

/// The six mock services.
#[derive(Default)]
pub(crate) struct OrderSaga {
    /// They end when this is dropped.
    running: Mutex<Option<MockServices>>,
}

#[async_trait]
impl Mocks for OrderSaga {
    fn command(&self) -> Command {
        Arguments::augment_args(Command::new("mock-services"))
            .about("Run the six mock services of the order saga until Ctrl-C")
    }

    async fn serve(&self, arguments: &ArgMatches) -> Result<(), String> {
        let arguments = Arguments::from_arg_matches(arguments).map_err(|error| error.to_string())?;
        mock_services::serve(arguments).await.map_err(|error| error.to_string())
    }

    fn services(&self) -> Vec<String> {
        mock_services::SERVICES.map(str::to_owned).to_vec()
    }

    fn check_fault(&self, rule: &str) -> Result<(), String> {
        rule.parse::<Fault>().map(drop).map_err(|error| error.to_string())
    }

    async fn start(&self, state: PathBuf, faults: Vec<String>) -> Result<BTreeMap<String, String>, String> {
        let faults: Result<Vec<Fault>, _> = faults.iter().map(|rule| rule.parse()).collect();
        let faults = faults.map_err(|error| error.to_string())?;
        let options = Options { ports: Ports::Ephemeral, state_dir: Some(state), faults };
        let services = MockServices::start(options).await.map_err(|error| error.to_string())?;
        let urls = services.urls();
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(services);
        Ok(urls)
    }
}
