//! Many processes that load and unload at once, as fast as they can.

use std::{env, error::Error, fs::File, os::fd::AsFd as _, sync::Barrier, thread};

use modutils::sys;

/// `storm ROUNDS PATH...`: a thread for each path loads that file and unloads the module of its name, `ROUNDS` times, and
/// all threads begin at once. Prints the threads' results, a line each: `loads unloads`, and how many of each succeeded.
pub(crate) fn run() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = env::args().skip(1).collect();
    let [rounds, paths @ ..] = &args[..] else { return Err("storm: how many rounds?".into()) };
    let (rounds, start) = (rounds.parse()?, Barrier::new(paths.len()));
    let results = thread::scope(|scope| {
        let threads: Vec<_> = paths.iter().map(|path| scope.spawn(|| one(path, rounds, &start))).collect();
        threads.into_iter().map(|thread| thread.join().expect("a thread ends by itself")).collect::<Vec<_>>()
    });
    for result in results {
        let (loads, unloads) = result?;
        println!("{loads} {unloads}");
    }
    Ok(())
}

fn one(path: &str, rounds: usize, start: &Barrier) -> std::io::Result<(usize, usize)> {
    let file = File::open(path)?;
    let name = path.rsplit('/').next().and_then(|name| name.strip_suffix(".ko")).unwrap_or_default();
    start.wait();
    let (mut loads, mut unloads) = (0, 0);
    for _ in 0..rounds {
        loads += usize::from(sys::finit_module(file.as_fd(), "", 0).is_ok());
        unloads += usize::from(sys::delete_module(name, false).is_ok());
    }
    Ok((loads, unloads))
}
