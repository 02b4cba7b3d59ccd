//! The `modrig` program.

fn main() -> std::process::ExitCode {
    modrig::cli::main()
}
