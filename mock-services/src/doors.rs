//! The six ports: which are open, and opening and closing them.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream};
use wiremock::MockServer;

use crate::Ports;
use crate::catalogue::Service;
use crate::error::MockError;
use crate::server;
use crate::shared::Shared;

const BACKLOG: u32 = 1024;
/// How often, and how long, to look whether a port has become free.
const LOOK: Duration = Duration::from_millis(5);
const LOOKS: usize = 400;

/// One service's port.
pub(crate) enum Door {
    Open(Arc<MockServer>),
    /// Bound and not listening: connections are refused, and nobody else can take the port.
    Shut(TcpSocket),
}

/// The doors of all services.
pub(crate) type Doors = BTreeMap<Service, Door>;

/// Ports that are bound already and not served yet.
pub(crate) type Bound = BTreeMap<Service, (SocketAddr, TcpSocket)>;

/// Binds all six ports before any is served, so that a taken one leaves nothing half started.
pub(crate) fn bind_all(ports: Ports) -> Result<Bound, MockError> {
    let mut bound = Bound::new();
    for service in Service::ALL {
        let port = match ports {
            Ports::Fixed => service.fixed_port(),
            Ports::Ephemeral => 0,
        };
        let found = bind(port).map_err(|source| explain(service, port, source))?;
        bound.insert(service, found);
    }
    Ok(bound)
}

fn bind(port: u16) -> io::Result<(SocketAddr, TcpSocket)> {
    let socket = TcpSocket::new_v4()?;
    // A fixed port may have old connections in TIME_WAIT. For an ephemeral one the option would let
    // the system hand the same port out twice.
    socket.set_reuseaddr(port != 0)?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    Ok((socket.local_addr()?, socket))
}

fn explain(service: Service, port: u16, source: io::Error) -> MockError {
    let service = service.name();
    if source.kind() == io::ErrorKind::AddrInUse {
        MockError::PortTaken { service, port }
    } else {
        MockError::Listen { service, source }
    }
}

/// Opens the doors that the rules leave open.
pub(crate) async fn open_all(bound: Bound, shared: &Arc<Shared>) -> Result<Doors, MockError> {
    let mut listeners: Vec<(Service, TcpListener)> = Vec::new();
    let mut doors = Doors::new();
    for (service, (address, socket)) in bound {
        if shared.desk().book().is_closed(service) {
            doors.insert(service, Door::Shut(socket));
        } else {
            let listener = listen(socket).map_err(|source| explain(service, address.port(), source))?;
            listeners.push((service, listener));
        }
    }
    for (service, listener) in listeners {
        doors.insert(service, open(service, listener, shared).await);
    }
    Ok(doors)
}

fn listen(socket: TcpSocket) -> io::Result<TcpListener> {
    socket.listen(BACKLOG)?.into_std()
}

async fn open(service: Service, listener: TcpListener, shared: &Arc<Shared>) -> Door {
    let server = server::serve(listener, service, Arc::clone(shared)).await;
    shared.set_open(service, true);
    Door::Open(server)
}

/// Opens and closes what the rules ask for.
pub(crate) async fn reconcile(doors: &mut Doors, shared: &Arc<Shared>) {
    for service in Service::ALL {
        let wanted_shut = shared.desk().book().is_closed(service);
        let Some(address) = shared.addresses.get(&service).copied() else {
            continue;
        };
        match doors.remove(&service) {
            Some(Door::Open(server)) if wanted_shut => {
                close(server, address).await;
                shared.set_open(service, false);
                // If somebody took the port in between, connections go there: nothing to do about it.
                if let Ok((_, socket)) = bind(address.port()) {
                    doors.insert(service, Door::Shut(socket));
                }
            }
            Some(Door::Shut(socket)) if !wanted_shut => {
                if let Ok(listener) = listen(socket) {
                    let door = open(service, listener, shared).await;
                    doors.insert(service, door);
                }
            }
            Some(door) => {
                doors.insert(service, door);
            }
            None if !wanted_shut => {
                if let Ok(listener) = bind(address.port()).and_then(|(_, socket)| listen(socket)) {
                    let door = open(service, listener, shared).await;
                    doors.insert(service, door);
                }
            }
            None => {}
        }
    }
}

/// Stops a server, cutting its connections, and waits until its port is free.
pub(crate) async fn close(server: Arc<MockServer>, address: SocketAddr) {
    drop(server);
    for _ in 0..LOOKS {
        if TcpStream::connect(address).await.is_err() {
            return;
        }
        tokio::time::sleep(LOOK).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_taken_port_is_named() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let error = explain(Service::Payment, port, bind(port).unwrap_err());
        assert_eq!(
            error.to_string(),
            format!(
                "port {port}, needed by the payment service, is in use: \
                 stop what listens there, or use `--ports ephemeral`"
            )
        );
    }

    #[tokio::test]
    async fn a_shut_door_refuses_and_keeps_its_port() {
        let (address, _socket) = bind(0).unwrap();
        let refused = TcpStream::connect(address).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        assert!(TcpListener::bind(address).is_err());
    }
}
