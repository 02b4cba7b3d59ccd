//! Builds the guest's programs and lists the guest modules' sources, both to be carried inside `modrig`.

use std::{
    env,
    error::Error,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const TARGET: &str = "x86_64-unknown-linux-gnu";

fn main() -> Result<()> {
    let workspace =
        Path::new(&env::var("CARGO_MANIFEST_DIR")?).parent().ok_or("the harness has a workspace above it")?.to_owned();
    let out = PathBuf::from(env::var("OUT_DIR")?);
    build_programs(&workspace, &out)?;
    list_sources(&workspace.join("guest-modules"), &out.join("sources.rs"))
}

/// Static programs need flags of their own, so they get a build of their own, in a directory of its own (cargo
/// holds the lock of the outer one while this runs).
fn build_programs(workspace: &Path, out: &Path) -> Result<()> {
    println!("cargo::rerun-if-changed={}", workspace.join("initramfs").display());
    println!("cargo::rerun-if-changed={}", workspace.join("Cargo.toml").display());
    println!("cargo::rerun-if-changed={}", workspace.join("Cargo.lock").display());
    let target = out.ancestors().find(|dir| dir.join("CACHEDIR.TAG").exists()).unwrap_or(out).join("guest-programs");
    let mut cargo = Command::new(env::var("CARGO")?);
    cargo
        .current_dir(workspace)
        .args([
            "build",
            "--quiet",
            "--profile",
            "guest",
            "--target",
            TARGET,
            "--package",
            "modutils",
            "--package",
            "modrig-agent",
        ])
        .arg("--target-dir")
        .arg(&target)
        // A fixed address spares the guest the relocations of a position-independent program.
        .env("RUSTFLAGS", "-Ctarget-feature=+crt-static -Crelocation-model=static")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("RUSTC_WRAPPER")
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .env_remove("CARGO_BUILD_TARGET")
        .env_remove("CARGO_TARGET_DIR");
    if !cargo.status()?.success() {
        return Err("the guest's programs do not build; see the compiler's message above".into());
    }
    for program in ["modrig-agent", "modrig-helper", "modrig-liar", "modutils"] {
        fs::copy(target.join(TARGET).join("guest").join(program), out.join(program))?;
    }
    Ok(())
}

fn list_sources(dir: &Path, list: &Path) -> Result<()> {
    println!("cargo::rerun-if-changed={}", dir.display());
    let mut files: Vec<PathBuf> = fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "c"));
    files.sort();
    let mut text = String::from(
        "/// The sources of the guest modules: module name and C text.\npub const SOURCES: &[(&str, &str)] = &[\n",
    );
    for file in &files {
        let name = file.file_stem().and_then(|stem| stem.to_str()).ok_or("a source's name is not UTF-8")?;
        writeln!(text, "    ({name:?}, include_str!({:?})),", file.display().to_string())?;
    }
    text.push_str("];\n");
    Ok(fs::write(list, text)?)
}
