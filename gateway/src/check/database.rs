//! What `identity.lint()` and `identity.doctor()` find. The role of `serve` may not ask them and must not: they are asked as an
//! administrator, where the settings of `admin` name one.

use std::{fmt, time::Duration};

use tokio_postgres::Row;

use crate::{
    config::AdminDatabase,
    failure::Failure,
    web::database::connect::{Limits, Target},
};

/// One row, as the database says it.
pub struct Remark {
    severity: String,
    code: String,
    object: String,
    finding: String,
    remedy: String,
}

impl Remark {
    /// Whether the command fails over it.
    pub fn is_error(&self) -> bool {
        self.severity == "error"
    }
}

/// Asks both, the doctor first: what is wrong with the server matters to every table. None when no administrator is configured.
pub async fn ask(settings: &AdminDatabase) -> Result<Option<Vec<Remark>>, Failure> {
    if settings.url.is_none() && settings.url_file.is_none() {
        return Ok(None);
    }
    let target = Target::new("admin.url", &settings.url()?, "gateway check")?.limited(LIMITS);
    let (client, _connection) = target.connect().await.map_err(|error| Failure::from(error).during("admin.url"))?;
    let mut remarks = Vec::new();
    for (what, sql) in [
        ("identity.doctor()", "select severity, code, object, finding, remedy from identity.doctor()"),
        ("identity.lint()", "select severity, code, object, finding, remedy from identity.lint()"),
    ] {
        let rows = client.query(sql, &[]).await.map_err(|error| Failure::from(error).during(what))?;
        for row in &rows {
            remarks.push(Remark::try_from(row)?);
        }
    }
    Ok(Some(remarks))
}

impl TryFrom<&Row> for Remark {
    type Error = tokio_postgres::Error;

    fn try_from(row: &Row) -> Result<Self, Self::Error> {
        Ok(Self {
            severity: row.try_get(0)?,
            code: row.try_get(1)?,
            object: row.try_get(2)?,
            finding: row.try_get(3)?,
            remedy: row.try_get(4)?,
        })
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:9}", self.severity)?;
        // Most findings name their object.
        if !self.finding.contains(&self.object) {
            write!(f, "{}: ", OneLine(&self.object))?;
        }
        write!(f, "{} ({})\n  remedy: {}", OneLine(&self.finding), self.code, OneLine(&self.remedy))
    }
}

/// Whoever makes a table chooses its name: none of it moves the cursor of the terminal or looks like a line of ours.
struct OneLine<'text>(&'text str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|character| {
            if character.is_control() { write!(f, "{}", character.escape_default()) } else { write!(f, "{character}") }
        })
    }
}

/// Both read the whole catalog.
const LIMITS: Limits = Limits { statement: Duration::from_secs(60), lock: Duration::from_secs(10) };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_look_like_a_line_of_ours() {
        let remark = Remark {
            severity: "warning".into(),
            code: "rls_off".into(),
            object: "a\nok  all is well".into(),
            finding: "found\u{1b}[2J".into(),
            remedy: "drop it".into(),
        };
        assert_eq!(remark.to_string(), "warning  a\\nok  all is well: found\\u{1b}[2J (rls_off)\n  remedy: drop it");
    }
}
