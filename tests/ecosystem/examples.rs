//! The examples of tests/clients/examples, run as they stand there, by an ordinary role against a table of two people.

use serde_json::json;
use tokio::process::Command;

use crate::jwt::{ALICE, BOB, access_token};
use crate::real_clients::{clients, run};
use crate::support::{Database, Login};

/// A program with the environment that the examples read.
async fn world(mut program: Command, scheme: &str) -> (Database, Command) {
    let db = Database::new().await;
    db.superuser()
        .await
        .batch_execute(&format!(
            "create table notes (id integer generated always as identity primary key, user_id uuid not null default identity.user_id(), body text);
             insert into notes (user_id, body) values ('{ALICE}', 'of Alice'), ('{BOB}', 'of Bob');
             select identity.protect('notes', owner => 'user_id');
             grant select, insert on notes to app_login"
        ))
        .await
        .unwrap();
    let alice = access_token(&db, json!({ "scope": "notes" })).await;
    program
        .env("DATABASE_URL", db.url(Login::App).replacen("postgres:", scheme, 1))
        .env("ALICE_SUB", ALICE)
        .env("BOB_SUB", BOB)
        .env("ALICE_TOKEN", &alice)
        .env("TOKEN", &alice)
        .env("BOB_TOKEN", access_token(&db, json!({ "sub": BOB })).await);
    (db, program)
}

#[tokio::test]
async fn sqlalchemy_with_psycopg() {
    let mut python = Command::new(clients().join(".venv/bin/python"));
    python.arg("examples/sqlalchemy_psycopg.py");
    let (_db, program) = world(python, "postgresql+psycopg:").await;
    run(program).await;
}

#[tokio::test]
async fn drizzle_with_pg() {
    let mut node = Command::new("node");
    node.arg("examples/drizzle.mjs");
    let (_db, program) = world(node, "postgres:").await;
    run(program).await;
}

#[tokio::test]
async fn prisma_with_pg() {
    // Its client is made of the schema. The engine of its migrations would be fetched for that, and is not asked: any program will do.
    let mut generate = Command::new("node");
    generate.args(["node_modules/.bin/prisma", "generate", "--schema", "examples/schema.prisma"]);
    generate.env("PRISMA_SCHEMA_ENGINE_BINARY", "/bin/true").env("CHECKPOINT_DISABLE", "1");
    run(generate).await;
    let mut node = Command::new("node");
    node.arg("examples/prisma.mjs");
    let (_db, program) = world(node, "postgres:").await;
    run(program).await;
}

#[tokio::test]
async fn psql() {
    let pg_config = std::env::var("PGRX_PG_CONFIG_PATH").expect("cargo sets it (.cargo/config.toml)");
    let (db, mut psql) =
        world(Command::new(std::path::Path::new(&pg_config).with_file_name("psql")), "postgres:").await;
    let file = clients().join("examples/psql.sql");
    psql.args(["--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--set=ON_ERROR_STOP=1"])
        .arg("--file")
        .arg(file);
    let output = psql.arg(db.url(Login::App)).output().await.unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said, format!("\n{ALICE}|{{notes}}\nof Alice\n"), "{}", String::from_utf8_lossy(&output.stderr));
}
