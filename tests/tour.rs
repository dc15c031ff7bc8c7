//! The README's tour, executed: every ```sh block between its two `<!-- tour -->` marks, in one shell, as a reader
//! would type them after `make run`.

use std::fs;
use std::process::Command;

use crate::make_run::Demo;
use crate::support::checkout;

#[tokio::test]
async fn every_command_of_the_readme_works() {
    let commands = commands(&fs::read_to_string(checkout().join("README.md")).unwrap());
    assert!(!commands.is_empty(), "the README has no tour");
    let mut demo = Demo::new();
    demo.start().await;
    // The reader has the default folder and ports.
    let env = demo.env();
    let commands = commands
        .replace(".run/", &format!("{}/", demo.folder.display()))
        .replace("http://localhost:8080", &env["ISSUER"])
        .replace("http://127.0.0.1:8081", &env["APP_URL"]);

    let mut shell = Command::new("bash");
    demo.in_environment(&mut shell);
    // -x: what failed is the last command in the output.
    let output = shell.args(["-euxo", "pipefail", "-c", &commands]).output().unwrap();
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success(), "{text}");
    // The last thing it shows, and nothing before it does.
    assert!(text.contains("is revoked"), "{text}");
    println!("{text}");
}

fn commands(readme: &str) -> String {
    let tour = readme.split("<!-- tour -->").nth(1).unwrap_or_default();
    tour.split("```sh\n").skip(1).filter_map(|block| block.split("```").next()).collect()
}
