//! Lets `cargo test` link: PostgreSQL's symbols are in the server, and the unit tests call none of them.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-link-arg=-Wl,--unresolved-symbols=ignore-all,-z,lazy");
    // The library itself stays bound when it is loaded.
    println!("cargo:rustc-link-arg-cdylib=-Wl,-z,now");
}
