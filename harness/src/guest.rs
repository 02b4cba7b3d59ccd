//! What a scenario sees of a guest: modules come and go, the log tells, files are read. No machine in sight.

mod act;
mod devices;
mod packing;
mod results;
mod storm;
mod transcript;

use std::{
    thread,
    time::{Duration, Instant},
};

use modfile::{
    elf::Elf,
    modinfo::Modinfo,
    proc_modules::{self, ProcModule, State},
};
use modrig_agent::{
    call::{Call, DIRECTORY, HELPERS},
    wire::{Ending, Job, OpenId, Reply, Request},
};

use crate::{
    behaviour::Version,
    check::{Check, Stop},
    errno::Errno,
    error::{Context as _, Error},
    image::{module_directory, module_path},
    kernel::version_of,
    text,
    triage::{AllowList, Event},
    vm::{SLICE, Trouble, Vm},
};

use transcript::Transcript;

pub use act::{Act, Argument};
pub use packing::Packing;
pub use results::{Ran, Returned, Running, same};
pub use transcript::{Kind, Step};

/// Environment that the kernel gives its helpers (kernel/kmod.c, `call_modprobe`); our own programs get the same.
const ENVIRONMENT: [(&str, &str); 3] = [("HOME", "/"), ("TERM", "linux"), ("PATH", "/sbin:/usr/sbin:/bin:/usr/bin")];

/// Where the kernel finds its helper.
const MODPROBE_PATH: &str = "/proc/sys/kernel/modprobe";

/// Longest [`Guest::eventually`] waits on an idle machine.
const EVENTUALLY: Duration = Duration::from_secs(20);

/// A guest with nothing loaded yet.
#[derive(Debug)]
pub struct Guest {
    vm: Vm,
    log: Vec<String>,
    uevents: Vec<String>,
    transcript: Transcript,
}

impl Guest {
    /// A guest on a machine whose agent is ready.
    pub fn new(mut vm: Vm) -> Self {
        let allowed = AllowList::embedded().on(Some(version_of(vm.release())));
        vm.console_mut().allow(allowed);
        Self { vm, log: Vec::new(), uevents: Vec::new(), transcript: Transcript::new() }
    }

    /// What it runs on; not for scenarios.
    pub(crate) fn vm(&mut self) -> &mut Vm {
        &mut self.vm
    }

    /// `uname -r`.
    pub fn release(&self) -> &str {
        self.vm.release()
    }

    /// Version of its kernel, to ask [`crate::behaviour`] with.
    pub fn version(&self) -> Version {
        version_of(self.release())
    }

    /// What its console showed that a healthy kernel does not print. After this the log is taken as complete.
    pub fn events(&mut self) -> &[Event] {
        self.vm.console_mut().finish();
        self.vm.console().events()
    }

    /// The end of its console's log.
    pub fn console_excerpt(&self) -> String {
        self.vm.console().excerpt(25, None)
    }

    /// The kernel's log since the guest was restored, as its console showed it.
    pub fn console_text(&self) -> String {
        self.vm.console().text()
    }

    /// What was done so far and what came of it.
    pub fn steps(&self) -> Vec<Step> {
        self.transcript.steps()
    }

    /// Looks once more at the console, for what the kernel printed after its last answer.
    ///
    /// # Errors
    /// It reports something that nobody expects, be it a warning, or does not report what is expected.
    pub fn settle(&mut self) -> Check {
        self.vm.settle()?;
        if let Some(event) = self.events().iter().find(|event| event.is_trouble()).cloned() {
            return Err(self.vm.reported(&event).into());
        }
        match self.vm.console().missing()[..] {
            [] => Ok(()),
            [title, ..] => Err(Stop::failed(format!("the kernel should report `{title}`, and does not"))),
        }
    }

    /// Gives what follows the whole time that one case has.
    pub fn restart_watch(&mut self) {
        self.vm.restart_watch();
    }

    /// Ends the guest.
    ///
    /// # Errors
    /// It does not end.
    pub fn power_off(self) -> Result<(), Trouble> {
        self.vm.power_off()
    }

    // Loading and unloading, by the system calls themselves.

    /// `finit_module` of a module's file, without parameters.
    ///
    /// # Errors
    /// The guest is in trouble; a refusal by the kernel is a value.
    pub fn load(&mut self, name: &str) -> Check<Returned> {
        self.load_with(name, "")
    }

    /// `finit_module` with parameters, such as `"number=5 word=hello"`.
    ///
    /// # Errors
    /// As [`Guest::load`].
    pub fn load_with(&mut self, name: &str, params: &str) -> Check<Returned> {
        let job = self.start_load(name, params)?;
        self.finish(job)
    }

    /// Begins a `finit_module` and goes on at once.
    ///
    /// # Errors
    /// As [`Guest::load`].
    pub fn start_load(&mut self, name: &str, params: &str) -> Check<Running> {
        let path = self.path_of(name);
        self.start(
            Job::FinitModule { path, open: libc::O_RDONLY, params: params.to_owned(), flags: 0 },
            if params.is_empty() { format!("loading {name}") } else { format!("loading {name} with `{params}`") },
        )
    }

    /// `finit_module` of any file of the guest; `flags` are those of the system call.
    ///
    /// # Errors
    /// As [`Guest::load`].
    pub fn load_file(&mut self, path: &str, params: &str, flags: u32) -> Check<Returned> {
        self.load_opened(path, libc::O_RDONLY, params, flags)
    }

    /// The same for a file that is opened with these flags of open(2).
    ///
    /// # Errors
    /// As [`Guest::load`].
    pub fn load_opened(&mut self, path: &str, open: i32, params: &str, flags: u32) -> Check<Returned> {
        let what = format!("loading {path} (open flags {open}, flags {flags})");
        let job = Job::FinitModule { path: path.to_owned(), open, params: params.to_owned(), flags };
        let job = self.start(job, what)?;
        self.finish(job)
    }

    /// A changed copy of a module's file; gives its path.
    ///
    /// # Errors
    /// The change cannot be made, or the guest is in trouble.
    pub fn edited(&mut self, name: &str, edit: impl FnOnce(&[u8]) -> Result<Vec<u8>, modfile::Error>) -> Check<String> {
        let bytes = edit(&self.module_file(name)?).context(|| format!("cannot change {name}"))?;
        let path = format!("/tmp/{name}.ko");
        self.write_file(&path, &bytes, 0o644)?;
        Ok(path)
    }

    /// Whether the kernel was built with CONFIG_MODVERSIONS, as the modules' version magic says.
    ///
    /// # Errors
    /// The module is not in the image.
    pub fn has_modversions(&mut self, name: &str) -> Check<bool> {
        let bytes = self.module_file(name)?;
        let info = Elf::parse(&bytes).and_then(|elf| Modinfo::of(&elf)).context(|| format!("cannot read {name}"))?;
        Ok(String::from_utf8_lossy(info.vermagic().unwrap_or_default()).contains(" modversions "))
    }

    /// The taint letters of one module, as /sys/module shows them.
    ///
    /// # Errors
    /// They are others.
    pub fn module_taint_is(&mut self, name: &str, expected: &str) -> Check {
        self.file_is(&format!("/sys/module/{name}/taint"), expected)
    }

    /// A module's file packed with a compressor, at a path that ends as its kind demands.
    ///
    /// # Errors
    /// The file is not in the image, or cannot be packed.
    pub fn packed(&mut self, name: &str, packing: Packing) -> Check<String> {
        let bytes = packing.pack(&self.module_file(name)?).context(|| format!("cannot pack {name}"))?;
        let path = format!("/tmp/{name}.ko.{}", packing.extension());
        self.write_file(&path, &bytes, 0o644)?;
        Ok(path)
    }

    /// A file with these bytes.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn put(&mut self, path: &str, bytes: &[u8]) -> Check {
        self.write_file(path, bytes, 0o644)
    }

    /// The file of a module that came with the kernel, unpacked.
    ///
    /// # Errors
    /// There is none.
    pub fn stock_file(&mut self, name: &str) -> Check<Vec<u8>> {
        let found = self.run("modinfo", &["-n", name])?;
        found.succeeds()?;
        let bytes = self.read_all(found.stdout().trim_end())?;
        Ok(packing::unpacked(bytes).context(|| format!("cannot unpack {name}"))?)
    }

    /// A file with these bytes that may be executed.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn put_program(&mut self, path: &str, bytes: &[u8]) -> Check {
        self.write_file(path, bytes, 0o755)
    }

    /// `init_module` of bytes given here, as a module named in `what`.
    ///
    /// # Errors
    /// As [`Guest::load`].
    pub fn load_bytes(&mut self, what: &str, bytes: &[u8]) -> Check<Returned> {
        let path = "/tmp/module.ko".to_owned();
        self.write_file(&path, bytes, 0o644)?;
        let job = self.start(Job::InitModule { path, params: String::new() }, format!("loading {what}"))?;
        self.finish(job)
    }

    /// `delete_module(name, O_NONBLOCK)`, as rmmod does.
    ///
    /// # Errors
    /// As [`Guest::load`].
    pub fn unload(&mut self, name: &str) -> Check<Returned> {
        let job = self.start_unload(name)?;
        self.finish(job)
    }

    /// Begins a `delete_module` and goes on at once.
    ///
    /// # Errors
    /// As [`Guest::load`].
    pub fn start_unload(&mut self, name: &str) -> Check<Running> {
        let flags = libc::O_NONBLOCK as u32;
        self.start(Job::DeleteModule { name: name.to_owned(), flags }, format!("unloading {name}"))
    }

    /// `delete_module(name, O_NONBLOCK | O_TRUNC)`, as `rmmod -f` does.
    ///
    /// # Errors
    /// As [`Guest::load`].
    pub fn force_unload(&mut self, name: &str) -> Check<Returned> {
        let flags = (libc::O_NONBLOCK | libc::O_TRUNC) as u32;
        let job =
            self.start(Job::DeleteModule { name: name.to_owned(), flags }, format!("unloading {name} by force"))?;
        self.finish(job)
    }

    /// Does something that is more than one system call, or none of those above.
    ///
    /// # Errors
    /// As [`Guest::load`].
    pub fn act(&mut self, act: Act) -> Check<Returned> {
        let running = self.start_act(act)?;
        self.finish(running)
    }

    /// Begins to do something and goes on at once.
    ///
    /// # Errors
    /// As [`Guest::load`].
    pub fn start_act(&mut self, act: Act) -> Check<Running> {
        self.start(Job::Calls(act.calls), act.what)
    }

    /// Waits for a system call that was begun.
    ///
    /// # Errors
    /// As [`Guest::load`].
    pub fn finish(&mut self, mut running: Running) -> Check<Returned> {
        let ending = self.wait_for(&mut running)?;
        let made = ending.raw.len();
        if (1..running.calls).contains(&made) {
            running.what.push_str(&format!(" (call {made} of {})", running.calls));
        }
        Ok(Returned { what: running.what, how: ending.how, raw: ending.raw.last().copied() })
    }

    /// Begins a `finit_module` and waits until the module's init sleeps.
    ///
    /// # Errors
    /// It is never seen coming, or as [`Guest::load`].
    pub fn load_until_coming(&mut self, name: &str, params: &str) -> Check<Running> {
        let running = self.start_load(name, params)?;
        self.eventually(&format!("{name} is coming"), |guest| guest.state_is(name, "coming"))?;
        // Its files in /sys come a moment later, and then init.
        self.eventually(&format!("{name} is in /sys"), |guest| guest.exists(&format!("/sys/module/{name}/refcnt")))?;
        self.waits_in_its_call(&running)?;
        Ok(running)
    }

    /// Begins a `delete_module` and waits until the module's exit runs.
    ///
    /// # Errors
    /// It is never seen going, or as [`Guest::load`].
    pub fn unload_until_going(&mut self, name: &str) -> Check<Running> {
        let running = self.start_unload(name)?;
        self.eventually(&format!("{name} is going"), |guest| guest.state_is(name, "going"))?;
        Ok(running)
    }

    /// Waits until a load that was begun sleeps in its system call, because it waits for something.
    ///
    /// # Errors
    /// It never does, or the guest is in trouble.
    pub fn waits_in_its_call(&mut self, running: &Running) -> Check {
        const LOADS: [i64; 2] = [libc::SYS_init_module, libc::SYS_finit_module];
        let file = format!("/proc/{}/syscall", running.pid);
        self.eventually(&format!("{} waits", running.what), |guest| {
            let text = guest.read_bytes(&file)?.unwrap_or_default();
            let number = String::from_utf8_lossy(&text).split(' ').next().and_then(|number| number.parse().ok());
            Ok(number.is_some_and(|number| LOADS.contains(&number)))
        })
    }

    /// Lets a module go on whose init or exit waits as long as this parameter is set.
    ///
    /// # Errors
    /// It has no such parameter, or the guest is in trouble.
    pub fn let_go(&mut self, module: &str, parameter: &str) -> Check {
        let file = format!("/sys/module/{module}/parameters/{parameter}");
        self.eventually(&format!("{file} is there"), |guest| guest.exists(&file))?;
        self.write(&file, "N")
    }

    /// Whether a job is still at work two seconds from now.
    ///
    /// # Errors
    /// The guest is in trouble.
    pub fn stays_running(&mut self, running: &mut Running) -> Check<bool> {
        self.poll(running, SLICE)?;
        Ok(running.ending.is_none())
    }

    /// Sends SIGKILL to a job.
    ///
    /// # Errors
    /// It has been waited for already, or the guest is in trouble.
    pub fn kill(&mut self, running: &Running) -> Check {
        self.done(&Request::Kill { job: running.id, signal: libc::SIGKILL }, &format!("killing: {}", running.what))
    }

    // Programs.

    /// Runs a tool from `/sbin` with the environment of a kernel helper.
    ///
    /// # Errors
    /// There is no such tool, or the guest is in trouble; a non-zero exit is a value.
    pub fn run(&mut self, tool: &str, args: &[&str]) -> Check<Ran> {
        let running = self.start_run(tool, args)?;
        self.finish_run(running)
    }

    /// Begins to run a tool and goes on at once.
    ///
    /// # Errors
    /// As [`Guest::run`].
    pub fn start_run(&mut self, tool: &str, args: &[&str]) -> Check<Running> {
        self.start_program(format!("/sbin/{tool}"), args)
    }

    fn start_program(&mut self, path: String, args: &[&str]) -> Check<Running> {
        let name = path.rsplit('/').next().unwrap_or_default();
        let what = format!("{name} {}", args.join(" ")).trim_end().to_owned();
        let argv = [path].into_iter().chain(args.iter().map(|arg| (*arg).to_owned())).collect();
        let env = ENVIRONMENT.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        self.start(Job::Exec { argv, env }, what)
    }

    /// Waits for a tool that was begun.
    ///
    /// # Errors
    /// As [`Guest::run`].
    pub fn finish_run(&mut self, mut running: Running) -> Check<Ran> {
        let ending = self.wait_for(&mut running)?;
        Ok(Ran { what: running.what, ending })
    }

    /// modprobe's configuration.
    ///
    /// # Errors
    /// The guest is in trouble.
    pub fn configure(&mut self, text: &str) -> Check {
        self.write("/etc/modprobe.d/scenario.conf", text)
    }

    /// Names the program that the kernel runs in place of modprobe: a path, or one of our helper's names.
    ///
    /// # Errors
    /// The guest is in trouble.
    pub fn set_modprobe(&mut self, path: &str) -> Check {
        self.write(MODPROBE_PATH, &format!("{path}\n"))
    }

    /// Lets the kernel run our own helper, which writes down how it was called.
    ///
    /// # Errors
    /// The guest is in trouble.
    pub fn set_helper(&mut self, name: &str) -> Check {
        self.set_modprobe(&helper(name))
    }

    /// The calls of our helper so far, oldest first.
    ///
    /// # Errors
    /// The guest is in trouble.
    pub fn calls(&mut self) -> Check<Vec<Call>> {
        let mut calls = Vec::new();
        while let Some(record) = self.read_bytes(&format!("{DIRECTORY}/{}", calls.len()))? {
            let call: Call = postcard::from_bytes(&record).context(|| "the helper's record makes no sense")?;
            self.transcript.was_call(&call);
            calls.push(call);
        }
        Ok(calls)
    }

    /// The only call of our helper so far.
    ///
    /// # Errors
    /// There are none, or several.
    pub fn only_call(&mut self) -> Check<Call> {
        let mut calls = self.calls()?;
        same("number of calls of the helper", &calls.len().to_string(), "1")?;
        Ok(calls.remove(0))
    }

    // What is loaded.

    /// A module's line in /proc/modules.
    ///
    /// # Errors
    /// The guest is in trouble, or the line makes no sense.
    pub fn module(&mut self, name: &str) -> Check<Option<ProcModule>> {
        let text = self.read("/proc/modules")?;
        for module in proc_modules::parse(&text) {
            let module = module.context(|| "/proc/modules makes no sense")?;
            if module.name == name {
                return Ok(Some(module.into_owned()));
            }
        }
        Ok(None)
    }

    /// The module is loaded and live.
    ///
    /// # Errors
    /// It is not.
    pub fn is_live(&mut self, name: &str) -> Check {
        match self.module(name)? {
            Some(module) if module.state == State::Live => Ok(()),
            Some(module) => Err(Stop::failed(format!("{name} should be live, but is {:?}", module.state))),
            None => Err(Stop::failed(format!("{name} should be loaded, but is not in /proc/modules"))),
        }
    }

    /// The module is not loaded: neither in /proc/modules nor in /sys/module.
    ///
    /// # Errors
    /// It is.
    pub fn is_absent(&mut self, name: &str) -> Check {
        if let Some(module) = self.module(name)? {
            return Err(Stop::failed(format!("{name} should be gone, but is in /proc/modules as {:?}", module.state)));
        }
        match self.exists(&format!("/sys/module/{name}"))? {
            true => Err(Stop::failed(format!("{name} should be gone, but /sys/module/{name} is there"))),
            false => Ok(()),
        }
    }

    /// Whether /sys/module shows the module in this state: `coming`, `live` or `going`.
    ///
    /// # Errors
    /// The guest is in trouble.
    pub fn state_is(&mut self, name: &str, state: &str) -> Check<bool> {
        let shown = self.read_bytes(&format!("/sys/module/{name}/initstate"))?.unwrap_or_default();
        Ok(shown.trim_ascii_end() == state.as_bytes())
    }

    /// The module's reference count, as /sys/module shows it.
    ///
    /// # Errors
    /// It is another one.
    pub fn refcount_is(&mut self, name: &str, expected: i64) -> Check {
        self.file_is(&format!("/sys/module/{name}/refcnt"), &expected.to_string())
    }

    /// The modules that hold this one, as /sys/module shows them.
    ///
    /// # Errors
    /// They are others.
    pub fn holders_are(&mut self, name: &str, expected: &[&str]) -> Check {
        let path = format!("/sys/module/{name}/holders");
        same(&format!("{path} holds"), &self.list(&path)?.join(" "), &expected.join(" "))
    }

    /// The kernel's taint letters whose bits are set, such as `OE`.
    ///
    /// # Errors
    /// The guest is in trouble.
    pub fn taint(&mut self) -> Check<String> {
        const LETTERS: &str = "PFSRMBUDAWCIOELKXTN";
        let bits: u64 = self.read("/proc/sys/kernel/tainted")?.trim().parse().context(|| "tainted is no number")?;
        Ok(LETTERS.chars().enumerate().filter(|(bit, _)| bits & (1 << bit) != 0).map(|(_, letter)| letter).collect())
    }

    // The log.

    /// The kernel's log since the guest was ready, without time stamps.
    ///
    /// # Errors
    /// The guest is in trouble.
    pub fn log(&mut self) -> Check<&[String]> {
        loop {
            match self.ask(&Request::Log)? {
                Reply::Log(records) if records.is_empty() => return Ok(&self.log),
                Reply::Log(records) => self.log.extend(records),
                other => return Err(unexpected("the log", &other)),
            }
        }
    }

    /// A record of the log contains this text.
    ///
    /// # Errors
    /// None does.
    pub fn logged(&mut self, text: &str) -> Check {
        match self.has_logged(text)? {
            true => Ok(()),
            false => {
                Err(Stop::failed(format!("the kernel's log should have `{text}`; it has: {}", self.log.join(" | "))))
            }
        }
    }

    /// Records of the log contain these texts, in this order.
    ///
    /// # Errors
    /// They do not.
    pub fn logged_in_order(&mut self, texts: &[&str]) -> Check {
        let mut records = self.log()?.iter();
        match texts.iter().find(|text| !records.any(|record| record.contains(**text))) {
            None => Ok(()),
            Some(text) => Err(Stop::failed(format!(
                "the kernel's log should have {texts:?} in this order, but `{text}` is not where it should be: {}",
                self.log.join(" | ")
            ))),
        }
    }

    /// No record of the log contains this text.
    ///
    /// # Errors
    /// One does.
    pub fn not_logged(&mut self, text: &str) -> Check {
        match self.log()?.iter().find(|record| record.contains(text)) {
            Some(record) => Err(Stop::failed(format!("the kernel's log should not have `{text}`, but has `{record}`"))),
            None => Ok(()),
        }
    }

    /// Whether a record of the log contains this text.
    ///
    /// # Errors
    /// The guest is in trouble.
    pub fn has_logged(&mut self, text: &str) -> Check<bool> {
        Ok(self.log()?.iter().any(|record| record.contains(text)))
    }

    /// The uevents since the guest was ready.
    ///
    /// # Errors
    /// The guest is in trouble.
    pub fn uevents(&mut self) -> Check<&[String]> {
        match self.ask(&Request::Uevents)? {
            Reply::Log(messages) => self.uevents.extend(messages),
            other => return Err(unexpected("the uevents", &other)),
        }
        Ok(&self.uevents)
    }

    /// An event of the kernel's log with this title (docs/triage.md) shall come, and is no trouble. `*` stands for any
    /// text. Without it the scenario fails, and with any other, be it a warning.
    pub fn expect_splat(&mut self, title: &'static str) {
        self.vm.console_mut().expect(title);
    }

    /// Waits until something holds.
    ///
    /// # Errors
    /// It does not within 20 s of the host's time, or the guest is in trouble.
    pub fn eventually(&mut self, what: &str, mut holds: impl FnMut(&mut Self) -> Check<bool>) -> Check {
        let (begun, mut limit) = (Instant::now(), EVENTUALLY);
        let mut pause = Duration::from_millis(5);
        while !holds(self)? {
            if begun.elapsed() > limit {
                limit = limit.max(self.vm.patience(EVENTUALLY));
            }
            if begun.elapsed() > limit {
                return Err(Stop::failed(format!("within {limit:.0?} this never held: {what}")));
            }
            thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(200));
        }
        Ok(())
    }

    // Files.

    /// A file's text.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(&mut self, path: &str) -> Check<String> {
        match self.ask(&Request::Read { path: path.to_owned() })? {
            Reply::Content(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            other => Err(unexpected(&format!("reading {path}"), &other)),
        }
    }

    /// A file's bytes.
    ///
    /// # Errors
    /// It is not there, or cannot be read.
    pub fn read_all(&mut self, path: &str) -> Check<Vec<u8>> {
        self.read_bytes(path)?.ok_or_else(|| Stop::failed(format!("{path} is not there")))
    }

    fn read_bytes(&mut self, path: &str) -> Check<Option<Vec<u8>>> {
        match self.ask(&Request::Read { path: path.to_owned() })? {
            Reply::Content(bytes) => Ok(Some(bytes)),
            Reply::Errno(libc::ENOENT) => Ok(None),
            other => Err(unexpected(&format!("reading {path}"), &other)),
        }
    }

    /// The lines of a file that contain a text.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn lines_with(&mut self, path: &str, text: &str) -> Check<Vec<String>> {
        match self.ask(&Request::Find { path: path.to_owned(), text: text.to_owned() })? {
            Reply::Content(bytes) => Ok(String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect()),
            other => Err(unexpected(&format!("reading {path}"), &other)),
        }
    }

    /// A module's file, as it lies in the image.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn module_file(&mut self, name: &str) -> Check<Vec<u8>> {
        let path = self.path_of(name);
        self.read_bytes(&path)?.ok_or_else(|| Error::new(format!("{path} is not in the image")).into())
    }

    /// The names in a directory, sorted.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn list(&mut self, path: &str) -> Check<Vec<String>> {
        match self.ask(&Request::List { path: path.to_owned() })? {
            Reply::Names(names) => Ok(names),
            other => Err(unexpected(&format!("reading {path}"), &other)),
        }
    }

    /// Whether a path exists.
    ///
    /// # Errors
    /// The guest is in trouble.
    pub fn exists(&mut self, path: &str) -> Check<bool> {
        Ok(!matches!(self.ask(&Request::List { path: path.to_owned() })?, Reply::Errno(libc::ENOENT)))
    }

    /// A file's content, apart from its last newline.
    ///
    /// # Errors
    /// It is another one.
    pub fn file_is(&mut self, path: &str, expected: &str) -> Check {
        let text = self.read(path)?;
        same(path, text.trim_end_matches('\n'), expected)
    }

    /// Writes text to a file with one `write`.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&mut self, path: &str, text: &str) -> Check {
        self.write_file(path, text.as_bytes(), 0o644)
    }

    /// Writing to a file fails with this errno.
    ///
    /// # Errors
    /// It does not.
    pub fn write_fails_with(&mut self, path: &str, text: &str, errno: Errno) -> Check {
        let request = Request::Write { path: path.to_owned(), bytes: text.into(), mode: 0o644 };
        let seen = match self.ask(&request)? {
            Reply::Errno(seen) => Errno(seen).to_string(),
            Reply::Done => "success".into(),
            other => return Err(unexpected(&format!("writing to {path}"), &other)),
        };
        same(&format!("writing `{text}` to {path}"), &seen, &errno.to_string())
    }

    fn write_file(&mut self, path: &str, bytes: &[u8], mode: u32) -> Check {
        self.done(
            &Request::Write { path: path.to_owned(), bytes: bytes.to_owned(), mode },
            &format!("writing to {path}"),
        )
    }

    /// Opens a file and keeps it open.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn open(&mut self, path: &str) -> Check<OpenId> {
        match self.ask(&Request::Open { path: path.to_owned(), write: true })? {
            Reply::Opened { file } => Ok(file),
            other => Err(unexpected(&format!("opening {path}"), &other)),
        }
    }

    /// Closes a file that [`Guest::open`] opened.
    ///
    /// # Errors
    /// The guest is in trouble.
    pub fn close(&mut self, file: OpenId) -> Check {
        self.done(&Request::Close { file }, "closing a file")
    }

    // Underneath.

    /// A module's path in the guest.
    pub fn path_of(&self, name: &str) -> String {
        format!("{}/{}", module_directory(self.release()), module_path(name))
    }

    fn start(&mut self, job: Job, what: String) -> Check<Running> {
        let calls = match &job {
            Job::Calls(calls) => calls.len(),
            _ => 1,
        };
        match self.ask(&Request::Start(job))? {
            Reply::Started { job, pid } => Ok(Running { id: job, pid, what, calls, ending: None }),
            other => Err(unexpected(&what, &other)),
        }
    }

    fn wait_for(&mut self, running: &mut Running) -> Check<Ending> {
        loop {
            if let Some(ending) = running.ending.take() {
                return Ok(ending);
            }
            self.poll(running, SLICE)?;
        }
    }

    /// Waits for a job, at most `limit`. An ending is given once by the agent, and kept here.
    fn poll(&mut self, running: &mut Running, limit: Duration) -> Check {
        if running.ending.is_some() {
            return Ok(());
        }
        match self.ask(&Request::Wait { job: running.id, timeout_ms: limit.as_millis() as u32 })? {
            Reply::Running => {}
            Reply::Ended(ending) => running.ending = Some(ending),
            other => return Err(unexpected(&running.what, &other)),
        }
        Ok(())
    }

    fn done(&mut self, request: &Request, what: &str) -> Check {
        match self.ask(request)? {
            Reply::Done => Ok(()),
            other => Err(unexpected(what, &other)),
        }
    }

    fn ask(&mut self, request: &Request) -> Check<Reply> {
        let at_ms = self.transcript.now_ms();
        let answer = self.vm.ask(request);
        self.transcript.answered(at_ms, request, answer.as_ref().ok());
        Ok(answer?)
    }
}

/// Path in the guest of our helper under one of its names.
pub fn helper(name: &str) -> String {
    format!("{HELPERS}/{name}")
}

/// An errno is the kernel's answer, and so a finding; anything else is the rig's fault.
fn unexpected(what: &str, reply: &Reply) -> Stop {
    match reply {
        Reply::Errno(errno) => Stop::failed(format!("{what}: {}", Errno(*errno))),
        Reply::Refused(reason) => Error::new(format!("{what}: the agent refuses: {reason}")).into(),
        other => Error::new(format!("{what}: the agent answers {}", text::beginning(other, 80))).into(),
    }
}
