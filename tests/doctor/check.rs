//! `gateway check` shows what lint and doctor find, where an administrator is configured.

use std::process::Command;

use super::Patient;
use crate::support::{Cluster, Gateway, Login};

fn run(mut command: Command) -> (bool, String, String) {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn check_shows_what_an_administrator_is_told_and_fails_over_errors_only() {
    let patient = Patient::on(Cluster::start()).await;
    let db = &patient.db;
    let admin = ("GATEWAY_ADMIN_DATABASE_URL", db.url(Login::Admin));
    let check = || run(Gateway::command("check", db, &[(admin.0, &admin.1)]));
    patient.run("alter system set synchronous_commit = off").await;
    patient.until("synchronous_commit_off", "the server", true).await;
    let (success, out, err) = check();
    assert!(success, "{out}{err}");
    assert!(
        out.contains("warning  the server: synchronous_commit is off (synchronous_commit_off)\n  remedy: alter system set synchronous_commit = on\n"),
        "{out}"
    );
    // What the administrator may not see is not passed over in silence.
    assert!(
        out.contains("info     pg_hba.conf: who is believed at connection is not shown to this role (not_examined)\n"),
        "{out}"
    );

    // A name that would clear the screen, and look like a line of ours.
    let name = "\"notes\u{1b}[2J\nok       nothing is wrong\"";
    patient
        .run(&format!("create table public.{name} (user_id uuid); grant select on public.{name} to app_login"))
        .await;
    let (success, out, err) = check();
    assert!(!success && err == "gateway: 1 error of identity.doctor() and identity.lint()\n", "{out}{err}");
    let shown = "public.\"notes\\u{1b}[2J\\nok       nothing is wrong\"";
    assert!(
        out.contains(&format!(
            "error    row-level security of {shown} is off: app_login reaches every row (rls_off_owned)\n  remedy: select identity.protect('{shown}')\n"
        )),
        "{out}"
    );
    assert!(!out.contains("\nok       nothing"));

    // Both kinds are counted apart: serve does not ask.
    patient.run("drop function identity.userinfo_read(text)").await;
    let (success, _, err) = check();
    assert!(
        !success
            && err
                == "gateway: 1 fault: serve would refuse to start; 1 error of identity.doctor() and identity.lint()\n",
        "{err}"
    );
    patient.run(&format!("drop table public.{name}")).await;
}

#[tokio::test]
async fn check_asks_with_no_other_role_than_an_administrators() {
    let patient = Patient::new().await;
    let db = &patient.db;
    for (url, said) in [
        (
            db.url(Login::Gateway),
            "error    identity.doctor(): permission denied for function doctor (SQLSTATE 42501)\n",
        ),
        ("postgres://admin_login:hunter2@127.0.0.1:1/x".to_owned(), "error    admin.url: "),
    ] {
        let (success, out, err) = run(Gateway::command("check", db, &[("GATEWAY_ADMIN_DATABASE_URL", &url)]));
        assert!(!success && out.contains(said), "{out}{err}");
        assert!(err.contains("1 error of identity.doctor() and identity.lint()"), "{err}");
        assert!(!format!("{out}{err}").contains("hunter2"), "{out}{err}");
    }
}
