//! `gateway admin configure`: sql/extension/configuration.sql.

use clap::Args;

use super::Admin;
use crate::{failure::Failure, web::issuer::Issuer};

#[derive(Args)]
pub struct Configure {
    /// Public URL of the gateway
    #[arg(long, value_name = "URL")]
    issuer: Issuer,
    /// An audience whose tokens this database accepts; may be repeated [default: the issuer]
    #[arg(long = "audience", value_name = "AUDIENCE")]
    audiences: Vec<String>,
}

pub async fn run(admin: &Admin, configure: Configure) -> Result<(), Failure> {
    let audiences = (!configure.audiences.is_empty()).then_some(configure.audiences);
    admin.order("select identity.configure($1, $2)", &[&configure.issuer.as_str(), &audiences]).await?;
    admin.print_done(&format!("issuer {}", configure.issuer));
    Ok(())
}
