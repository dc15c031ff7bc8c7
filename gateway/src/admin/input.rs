//! What must not be an argument, because every user of the machine can read those: passwords. And what is too long for one:
//! JSON documents.

use std::{
    fs,
    io::{self, BufRead, IsTerminal, Read, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use clap::Args;
use secrecy::SecretString;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::failure::Failure;

/// Where a password comes from.
#[derive(Args)]
pub struct PasswordSource {
    /// File whose first line is the password; without it, it is asked for, or read from standard input
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

impl PasswordSource {
    /// Reads it: from the file, from a person (twice, unseen), or from the first line of standard input.
    pub fn read(&self) -> Result<SecretString, Failure> {
        let password = match &self.password_file {
            Some(path) => first_line(&read(path)?),
            None if io::stdin().is_terminal() => {
                let password = ask("Password: ")?;
                if *ask("Again: ")? != *password {
                    return Err(Failure::new("the two passwords differ"));
                }
                password
            }
            None => input_line()?,
        };
        if password.is_empty() {
            return Err(Failure::new("the password is empty"));
        }
        Ok(SecretString::from(password.as_str()))
    }
}

/// A JSON object from a file; `-` is standard input.
pub fn document(path: &Path) -> Result<Map<String, Value>, Failure> {
    let text = if path.as_os_str() == "-" {
        let mut text = Zeroizing::new(String::new());
        io::stdin().read_to_string(&mut text).map_err(|error| Failure::new(format!("standard input: {error}")))?;
        text
    } else {
        read(path)?
    };
    match serde_json::from_str(&text) {
        Ok(Value::Object(document)) => Ok(document),
        Ok(_) => Err(Failure::new(format!("{}: is not a JSON object", path.display()))),
        Err(error) => Err(Failure::new(format!("{}: {error}", path.display()))),
    }
}

fn read(path: &Path) -> Result<Zeroizing<String>, Failure> {
    fs::read_to_string(path).map(Zeroizing::new).map_err(|error| Failure::new(format!("{}: {error}", path.display())))
}

fn ask(prompt: &str) -> Result<Zeroizing<String>, Failure> {
    eprint!("{prompt}");
    // An error here shows at the next line that is read.
    let _ = io::stderr().flush();
    let echo = Echo::off();
    let line = input_line();
    drop(echo);
    eprintln!();
    line
}

fn input_line() -> Result<Zeroizing<String>, Failure> {
    let mut line = Zeroizing::new(String::new());
    io::stdin().lock().read_line(&mut line).map_err(|error| Failure::new(format!("standard input: {error}")))?;
    Ok(first_line(&line))
}

fn first_line(text: &str) -> Zeroizing<String> {
    Zeroizing::new(text.lines().next().unwrap_or_default().to_owned())
}

/// The terminal shows nothing of what is typed while this lives. `stty` is on every system that has terminals.
struct Echo;

impl Echo {
    fn off() -> Self {
        stty("-echo");
        Self
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        stty("echo");
    }
}

fn stty(mode: &str) {
    // Where it is missing the password shows, and works.
    let _ = Command::new("stty").arg(mode).stdin(Stdio::inherit()).status();
}
