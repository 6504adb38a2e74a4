//! Where the library is: MESAOPT_LIB_DIR; or what pkg-config says; or build/lib of the tree that this crate lies in.
//! A static library is preferred where MESAOPT_STATIC is 1, and in the tree.
use std::{env, path::Path, process::Command};

fn main() {
    for name in ["MESAOPT_LIB_DIR", "MESAOPT_STATIC", "PKG_CONFIG_PATH"] {
        println!("cargo:rerun-if-env-changed={name}");
    }
    let tree = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../build/lib");
    let mut is_static = env::var("MESAOPT_STATIC").map_or(false, |s| s == "1");
    let folder = env::var("MESAOPT_LIB_DIR").ok().or_else(pkg_config).or_else(|| {
        is_static = true;
        Path::new(tree).join("libmesaopt.a").exists().then(|| tree.to_string())
    });
    match folder {
        Some(folder) if !folder.is_empty() => println!("cargo:rustc-link-search=native={folder}"),
        Some(_) => {}
        None => panic!("libmesaopt was not found: install it, or set MESAOPT_LIB_DIR to the folder it is in"),
    }
    println!("cargo:rustc-link-lib={}mesaopt", if is_static { "static=" } else { "" });
    println!("cargo:rustc-link-lib=m");
}

/// The folder, which is empty where the linker knows it.
fn pkg_config() -> Option<String> {
    let said = Command::new("pkg-config").args(["--libs-only-L", "mesaopt"]).output().ok()?;
    said.status.success().then(|| String::from_utf8_lossy(&said.stdout).trim().trim_start_matches("-L").to_string())
}
