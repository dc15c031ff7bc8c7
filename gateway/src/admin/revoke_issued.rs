//! `gateway admin revoke-issued`: sql/extension/revoke_issued.sql.

use clap::Args;

use super::Admin;
use crate::failure::Failure;

#[derive(Args)]
pub struct RevokeIssued {
    /// From this moment on, such as 2026-05-04T10:00:00Z
    #[arg(long, value_name = "MOMENT")]
    after: String,
    /// Up to this moment; not in the future
    #[arg(long, value_name = "MOMENT", default_value = "now")]
    before: String,
    /// A trusted issuer whose tokens are meant [default: this database's]
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// Ends sessions too that were only used since, because their cookies passed by
    #[arg(long)]
    used: bool,
    /// Only says how much would end
    #[arg(long)]
    dry_run: bool,
}

pub async fn run(admin: &Admin, asked: RevokeIssued) -> Result<(), Failure> {
    let sql = "select to_json(r) from identity.revoke_issued_between(
        $1::text::timestamptz, $2::text::timestamptz, $3, $4, $5) r";
    let RevokeIssued { after, before, issuer, used, dry_run } = asked;
    admin.print_object(&admin.ask(sql, &[&after, &before, &issuer, &used, &dry_run]).await?);
    Ok(())
}
