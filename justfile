# Recipes for working on the engine. `just` alone lists them.

_default:
    @just --list --unsorted

# Format all code
fmt:
    cargo fmt --all

# What CI lints: every target of every crate, no warning left
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings

# Run the tests; ENGINE_TEST_REQUIRE_ALL=1 makes those fail that this machine would let skip
test *ARGS:
    cargo test --workspace --locked {{ ARGS }}

# Build the documentation of our crates; a broken link is an error
doc *ARGS:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked {{ ARGS }}

# The README's main command: an order through six services
demo *ARGS:
    cargo run --release --locked -- run workflows/order_saga.json --mock-services {{ ARGS }}

# Everything that CI checks, as CI does it
ci:
    .ci/run

# Licences, bans, sources and known advisories of what we depend on (fetches the advisories)
deny:
    cargo deny --locked check

# Write workflows/engine-1.schema.json anew from the types of the format
schema:
    UPDATE=1 cargo test --locked -p engine-core --test definition the_schema_is_up_to_date
