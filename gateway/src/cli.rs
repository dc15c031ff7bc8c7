//! The command line: which command, which settings, and how it ends.

use std::{future::Future, path::PathBuf, process::ExitCode};

use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::{
    admin, check,
    config::{AdminDatabase, MigrateDatabase, Settings, refuse_unknown_variables},
    failure::Failure,
    migrate, serve, sync_issuers, telemetry,
    web::database::connect,
};

/// Identity provider on PostgreSQL: the HTTP gateway and its tools
///
/// Settings come from a TOML file, over it the environment, over that the flags. A setting `listen` of section `[http]` is
/// GATEWAY_LISTEN and --listen; the help of each command names them all. Secrets come from the environment or from files
/// (GATEWAY_DATABASE_URL_FILE), never from the command line.
#[derive(Parser)]
#[command(name = "gateway", version, arg_required_else_help = true)]
struct Cli {
    /// Configuration file (TOML)
    #[arg(long, global = true, env = "GATEWAY_CONFIG_FILE", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serves OAuth 2, OpenID Connect and the pages over HTTP
    Serve,
    /// Brings the tables and functions of the store to this gateway's version
    Migrate,
    /// Says whether configuration, database role, extension, store and keys fit together; as an administrator also what
    /// identity.doctor() and identity.lint() find
    Check,
    /// Users, clients, keys, sessions and the issuer, by the same SQL functions that a database session has
    Admin(Box<admin::Arguments>),
    /// Fetches the keys of trusted issuers into the database, now and again, or once
    SyncIssuers(sync_issuers::Arguments),
}

/// Runs the command that the arguments name.
pub fn run() -> ExitCode {
    let matches = command().get_matches();
    match start(&matches) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("gateway: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Each command takes the settings that it reads, and no others: the secret of one is not loaded by another.
fn command() -> clap::Command {
    Cli::command()
        .mut_subcommand("serve", takes::<Settings>)
        .mut_subcommand("check", |check| takes::<AdminDatabase>(takes::<Settings>(check)))
        .mut_subcommand("migrate", takes::<MigrateDatabase>)
        .mut_subcommand("sync-issuers", takes::<sync_issuers::Reads>)
        .mut_subcommand("admin", |admin| takes::<AdminDatabase>(admin).mut_args(|argument| argument.global(true)))
}

fn takes<S: clap::Args>(command: clap::Command) -> clap::Command {
    let about = command.get_about().cloned().unwrap_or_default();
    S::augment_args_for_update(command).about(about).long_about(None)
}

fn start(matches: &ArgMatches) -> Result<(), Failure> {
    refuse_unknown_variables(&command())?;
    let cli = Cli::from_arg_matches(matches).map_err(|error| Failure::new(error.to_string()))?;
    let arguments = innermost(matches);
    let mut settings = Settings::load(cli.config.as_deref(), arguments)?;
    connect::install_crypto();
    match cli.command {
        Command::Serve => {
            settings.update(arguments)?;
            // Before the workers, and until all of them are gone.
            let _telemetry = telemetry::start(&settings)?;
            block_on(tokio::runtime::Builder::new_current_thread(), serve::run(settings))
        }
        Command::Check => {
            settings.update(arguments)?;
            settings.admin.update_from_arg_matches(arguments).map_err(|error| Failure::new(error.to_string()))?;
            block_on(tokio::runtime::Builder::new_current_thread(), check::run(&settings))
        }
        Command::Migrate => {
            settings.migrate.update_from_arg_matches(arguments).map_err(|error| Failure::new(error.to_string()))?;
            block_on(tokio::runtime::Builder::new_current_thread(), async {
                migrate::run(&settings.migrate.url()?).await
            })
        }
        Command::SyncIssuers(order) => {
            sync_issuers::update(&mut settings, arguments).map_err(|error| Failure::new(error.to_string()))?;
            let _telemetry = telemetry::start(&settings)?;
            block_on(tokio::runtime::Builder::new_current_thread(), sync_issuers::run(&settings, order))
        }
        Command::Admin(order) => {
            settings.admin.update_from_arg_matches(arguments).map_err(|error| Failure::new(error.to_string()))?;
            block_on(tokio::runtime::Builder::new_current_thread(), async {
                admin::run(&settings.admin.url()?, *order).await
            })
        }
    }
}

fn block_on(
    mut runtime: tokio::runtime::Builder,
    command: impl Future<Output = Result<(), Failure>>,
) -> Result<(), Failure> {
    runtime.enable_all().build().map_err(|error| Failure::new(error.to_string()))?.block_on(command)
}

/// The matches of the last subcommand, where global arguments are known too.
fn innermost(matches: &ArgMatches) -> &ArgMatches {
    let mut matches = matches;
    while let Some((_, inner)) = matches.subcommand() {
        matches = inner;
    }
    matches
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_well_formed() {
        super::command().debug_assert();
    }
}
