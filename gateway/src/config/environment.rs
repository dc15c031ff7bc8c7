//! The environment: a variable that no command reads is a slip of the pen, like an unknown key of the file.

use std::{collections::BTreeSet, env};

use crate::failure::Failure;

/// Refuses a `GATEWAY_…` variable that no command reads. Those of other commands are known too: one environment may serve
/// all of them.
pub fn refuse_unknown_variables(command: &clap::Command) -> Result<(), Failure> {
    let known = known(command);
    let given: BTreeSet<String> = env::vars_os()
        .filter_map(|(name, _)| name.into_string().ok())
        .filter(|name| name.starts_with("GATEWAY_"))
        .collect();
    match given.iter().find(|name| !known.contains(*name) && !is_of_kubernetes(name, &given)) {
        None => Ok(()),
        Some(name) => {
            let failure = Failure::new(format!("environment variable {name}: there is no such setting"));
            Err(match known.iter().min_by_key(|known| strsim::damerau_levenshtein(known, name)) {
                Some(nearest) => failure.hint(format!("the nearest is {nearest}")),
                None => failure,
            })
        }
    }
}

fn known(command: &clap::Command) -> BTreeSet<String> {
    let own = command.get_arguments().filter_map(|argument| Some(argument.get_env()?.to_str()?.to_owned()));
    own.chain(command.get_subcommands().flat_map(known)).collect()
}

/// Kubernetes tells every pod of every service: one named gateway is GATEWAY_SERVICE_HOST, GATEWAY_SERVICE_PORT…,
/// GATEWAY_PORT, GATEWAY_PORT_8080_TCP….
fn is_of_kubernetes(name: &str, given: &BTreeSet<String>) -> bool {
    given.iter().filter_map(|other| other.strip_suffix("_SERVICE_HOST")).any(|service| {
        name.strip_prefix(service).is_some_and(|rest| {
            rest == "_PORT" || ["_SERVICE_HOST", "_SERVICE_PORT", "_PORT_"].iter().any(|start| rest.starts_with(start))
        })
    })
}
