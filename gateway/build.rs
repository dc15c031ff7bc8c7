//! Puts the store's SQL into the binary, so that `gateway migrate` needs no files beside it and always applies what this
//! gateway was built with.

use std::{env, error::Error, fmt::Write as _, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let store = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../sql/store");
    let mut code = String::new();
    for (constant, folder) in [("MIGRATIONS", "migrations"), ("FUNCTIONS", "functions")] {
        let folder = store.join(folder);
        println!("cargo::rerun-if-changed={}", folder.display());
        let mut files = Vec::new();
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "sql") {
                println!("cargo::rerun-if-changed={}", path.display());
                files.push(fs::canonicalize(path)?);
            }
        }
        files.sort();
        writeln!(
            code,
            "/// The files of sql/store/{}, in order.",
            folder.file_name().and_then(|name| name.to_str()).ok_or("folder")?
        )?;
        writeln!(code, "pub static {constant}: &[Script] = &[")?;
        for file in files {
            let name = file.file_name().and_then(|name| name.to_str()).ok_or("a file's name is not UTF-8")?;
            writeln!(
                code,
                "    Script {{ name: {name:?}, sql: include_str!({:?}) }},",
                file.to_str().ok_or("a path is not UTF-8")?
            )?;
        }
        writeln!(code, "];")?;
    }
    fs::write(Path::new(&env::var("OUT_DIR")?).join("store.rs"), code)?;
    Ok(())
}
