//! Kernels and peers from an archive that these tests make: what happens when it is whole, broken, lying or gone.

#[path = "common/package.rs"]
mod package;

use std::{
    collections::HashMap,
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    thread::JoinHandle,
};

use modrig::{
    cache::Cache,
    error::{Blame, Error},
    kernel::{FetchOptions, Headers, Kernel, Kernels, Store, buildroot::Recipe},
    peers::Peers,
    progress::Progress,
};

use package::{deb, sha256};

const LINE: &str = "\"9.1\" = { suite = \"trixie-backports\", flavour = \"cloud-amd64\", compiler = \"gcc-14\" }\n";

/// How the server answers for a path.
#[derive(Clone)]
enum Reply {
    Whole(Vec<u8>),
    /// Closes the connection in the middle, the first time or always.
    Breaks {
        body: Vec<u8>,
        always: bool,
    },
}

/// An HTTP server for files in memory.
struct Server {
    base: String,
    state: Arc<Mutex<State>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct State {
    files: HashMap<String, Reply>,
    requests: Vec<String>,
    stop: bool,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State::default()));
        let shared = state.clone();
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.lock().unwrap().stop {
                    return;
                }
                // A client that goes away is no failure of the server.
                let _ = answer(stream.unwrap(), &shared);
            }
        });
        Self { base, state, thread: Some(thread) }
    }

    fn put(&self, path: &str, body: impl Into<Vec<u8>>) {
        self.reply(path, Reply::Whole(body.into()));
    }

    fn reply(&self, path: &str, reply: Reply) {
        self.state.lock().unwrap().files.insert(path.to_owned(), reply);
    }

    fn remove(&self, path: &str) {
        self.state.lock().unwrap().files.remove(path);
    }

    fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().requests)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.state.lock().unwrap().stop = true;
        let _ = TcpStream::connect(self.base.trim_start_matches("http://"));
        self.thread.take().unwrap().join().unwrap();
    }
}

fn answer(mut stream: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    let mut start = None;
    for line in lines {
        let line = line?.to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        start = start.or_else(|| line.strip_prefix("range: bytes=")?.trim_end_matches('-').parse::<usize>().ok());
    }
    let path = request.split(' ').nth(1).unwrap_or_default().trim_start_matches('/').replace("%2B", "+");
    let reply = {
        let mut state = state.lock().unwrap();
        state.requests.push(format!("{path}@{}", start.unwrap_or(0)));
        let reply = state.files.get(&path).cloned();
        if let Some(Reply::Breaks { body, always: false }) = &reply {
            state.files.insert(path, Reply::Whole(body.clone()));
        }
        reply
    };
    let (body, sent) = match reply {
        None => return stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"),
        Some(Reply::Whole(body)) => (body.clone(), body.len()),
        Some(Reply::Breaks { body, .. }) => (body.clone(), body.len() / 2),
    };
    let (status, from) = match start {
        Some(start) => ("206 Partial Content", start.min(sent)),
        None => ("200 OK", 0),
    };
    let length = body.len() - from;
    write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n")?;
    stream.write_all(&body[from..sent])
}

/// A `bzImage` around an ELF file that has nothing in it, not even a PVH entry.
fn vmlinuz() -> Vec<u8> {
    let mut elf = [0; 64];
    elf[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    elf[18] = 62;
    let mut packed = Vec::new();
    flate2::read::GzEncoder::new(&elf[..], flate2::Compression::fast()).read_to_end(&mut packed).unwrap();
    let mut image = vec![0; 1024];
    image[0x1f1] = 1;
    image[0x1fe..0x200].copy_from_slice(&[0x55, 0xaa]);
    image[0x202..0x208].copy_from_slice(b"HdrS\x0f\x02");
    image[0x24c..0x250].copy_from_slice(&(packed.len() as u32).to_le_bytes());
    image.extend(packed);
    image
}

/// The packages of one release: path in the archive, package name, dependencies, content.
struct Release {
    version: String,
    packages: Vec<(String, String, String, Vec<u8>)>,
}

fn release(number: u32) -> Release {
    let release = format!("9.1.{number}+deb13-cloud-amd64");
    let common = format!("9.1.{number}+deb13-common");
    let version = format!("9.1.{number}-1");
    let image = vmlinuz();
    let config = format!("CONFIG_MODULES=y\nCONFIG_NUMBER={number}\n");
    let vmlinuz_path = format!("boot/vmlinuz-{release}");
    let config_path = format!("boot/config-{release}");
    let image = deb(&[(&config_path, config.as_bytes()), (&vmlinuz_path, &image), ("usr/share/doc/x", b"")]);
    let makefile = format!("usr/src/linux-headers-{release}/Makefile");
    let fixdep = format!("usr/lib/linux-kbuild-9.1.{number}/scripts/basic/fixdep");
    let shared = format!("usr/src/linux-headers-{common}/Makefile");
    let depends = format!("linux-headers-{common} (= {version}), linux-kbuild-9.1.{number}, gcc-14");
    let parts = [
        (format!("linux-image-{release}"), "kmod".to_owned(), image),
        (format!("linux-headers-{release}"), depends, deb(&[(&makefile, b"own")])),
        (format!("linux-headers-{common}"), String::new(), deb(&[(&shared, b"common")])),
        (format!("linux-kbuild-9.1.{number}"), String::new(), deb(&[(&fixdep, b"tool")])),
    ];
    let packages = parts.map(|(name, depends, deb)| (format!("pool/{name}_{version}.deb"), name, depends, deb)).into();
    Release { version, packages }
}

impl Release {
    fn index(&self) -> String {
        let stanza = |(path, name, depends, deb): &(String, String, String, Vec<u8>)| {
            let (version, size, sha256) = (&self.version, deb.len(), sha256(deb));
            format!(
                "Package: {name}\nVersion: {version}\nArchitecture: amd64\nDepends: {depends}\nFilename: {path}\n\
                 Size: {size}\nSHA256: {sha256}\n\n"
            )
        };
        self.packages.iter().map(stanza).collect()
    }

    fn lock(&self) -> String {
        let release = self.packages[0].1.trim_start_matches("linux-image-");
        let mut text = format!("[\"9.1\"]\nrelease = \"{release}\"\nversion = \"{}\"\n", self.version);
        for (path, _, _, deb) in &self.packages {
            let (size, sha256) = (deb.len(), sha256(deb));
            text += &format!("[[\"9.1\".packages]]\npath = \"{path}\"\nsize = {size}\nsha256 = \"{sha256}\"\n");
        }
        text
    }

    fn upload(&self, server: &Server) {
        for (path, _, _, deb) in &self.packages {
            server.put(path, deb.clone());
        }
    }

    fn image_path(&self) -> &str {
        &self.packages[0].0
    }
}

/// A cache, a catalog with release 1 locked, and a server that has it.
struct Setting {
    dir: tempfile::TempDir,
    server: Server,
    options: FetchOptions,
}

impl Setting {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::start();
        let release = release(1);
        release.upload(&server);
        fs::write(dir.path().join("kernels.toml"), LINE).unwrap();
        fs::write(dir.path().join("kernels.lock"), release.lock()).unwrap();
        let mirror = Some(server.base.clone());
        let options = FetchOptions { mirror, ..FetchOptions::default() };
        Self { dir, server, options }
    }

    fn catalog(&self) -> Kernels {
        Kernels::load(&self.dir.path().join("kernels.toml")).unwrap()
    }

    fn store(&self) -> Store {
        let cache = Cache::open(Some(&self.dir.path().join("cache"))).unwrap();
        Store { cache, progress: Progress::hidden(), options: self.options.clone() }
    }

    fn resolve(&self) -> Result<Kernel, Error> {
        self.store().resolve(&self.catalog(), "9.1")
    }

    /// What went wrong, after making sure that nothing of it stayed.
    fn failure(&self) -> Error {
        let error = self.resolve().unwrap_err();
        let cache = self.dir.path().join("cache");
        assert_eq!(fs::read_dir(cache.join("tmp")).unwrap().count(), 0, "a half-written entry stayed");
        assert!(!cache.join("kernel").exists());
        error
    }

    /// Signs an index of these releases with a key that exists only for this test, and trusts it.
    fn sign(&mut self, releases: &[Release], key: &Key, valid_until: &str) {
        let text: String = releases.iter().map(Release::index).collect();
        let mut packed = Vec::new();
        liblzma::read::XzEncoder::new(text.as_bytes(), 1).read_to_end(&mut packed).unwrap();
        let (size, sha256) = (packed.len(), sha256(&packed));
        let release = format!(
            "Suite: stable-backports\nCodename: trixie-backports\nValid-Until: {valid_until}\nSHA256:\n \
             {sha256} {size} main/binary-amd64/Packages.xz\n"
        );
        // Only at the plain path, as on a mirror without by-hash.
        self.server.put("dists/trixie-backports/main/binary-amd64/Packages.xz", packed);
        self.server.put("dists/trixie-backports/InRelease", key.sign(&release));
        self.options.keyring = Some(key.keyring());
    }
}

const FAR: &str = "Fri, 01 Jan 2200 00:00:00 UTC";

/// An OpenPGP key in a directory of its own.
struct Key(tempfile::TempDir);

impl Key {
    fn new() -> Self {
        let key = Self(tempfile::tempdir().unwrap());
        key.gpg(&["--passphrase", "", "--quick-generate-key", "test@example.invalid", "ed25519", "sign", "never"], "");
        let public = key.gpg(&["--export"], "");
        fs::write(key.keyring(), public).unwrap();
        key
    }

    fn keyring(&self) -> PathBuf {
        self.0.path().join("public.gpg")
    }

    fn sign(&self, text: &str) -> Vec<u8> {
        self.gpg(&["--clearsign"], text)
    }

    fn gpg(&self, args: &[&str], input: &str) -> Vec<u8> {
        let mut gpg = Command::new("gpg")
            .args(["--quiet", "--batch", "--homedir"])
            .arg(self.0.path())
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("gpg is installed: modrig needs only gpgv, its tests also gpg (ci/setup test)");
        gpg.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = gpg.wait_with_output().unwrap();
        assert!(output.status.success(), "gpg {args:?}");
        output.stdout
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        // GnuPG keeps an agent for each directory.
        let _ = Command::new("gpgconf").arg("--homedir").arg(self.0.path()).args(["--kill", "all"]).status();
    }
}

fn assert_release(kernel: &Kernel, number: u32) {
    assert_eq!(kernel.release, format!("9.1.{number}+deb13-cloud-amd64"));
    assert_eq!(kernel.config.get("NUMBER"), Some(&*number.to_string()));
    assert_eq!(fs::read(&kernel.image).unwrap(), vmlinuz());
}

#[test]
fn a_fetched_kernel_is_whole_and_needs_no_network_again() {
    let mut setting = Setting::new();
    let kernel = setting.resolve().unwrap();
    assert_release(&kernel, 1);
    let Headers::Rooted { recipe, place } = &kernel.headers else { panic!("{:?}", kernel.headers) };
    assert_eq!(*recipe, Recipe::for_modules("trixie", "gcc-14"));
    let header = |path: &str| fs::read_to_string(place.join(path)).unwrap();
    assert_eq!(header("usr/src/linux-headers-9.1.1+deb13-cloud-amd64/Makefile"), "own");
    assert_eq!(header("usr/src/linux-headers-9.1.1+deb13-common/Makefile"), "common");
    assert_eq!(header("usr/lib/linux-kbuild-9.1.1/scripts/basic/fixdep"), "tool");

    setting.server.requests();
    setting.options.offline = true;
    let again = setting.resolve().unwrap();
    assert_eq!((again.digest, again.image), (kernel.digest, kernel.image));
    assert_eq!(setting.server.requests(), [""; 0]);
}

#[test]
fn kernels_that_share_packages_can_be_fetched_at_once() {
    let setting = Setting::new();
    let other = LINE.replace("9.1", "9.1-other").replace("gcc-14", "gcc-15");
    fs::write(setting.dir.path().join("kernels.toml"), format!("{LINE}{other}")).unwrap();
    let lock = release(1).lock();
    let both = format!("{lock}{}", lock.replace("\"9.1\"", "\"9.1-other\""));
    fs::write(setting.dir.path().join("kernels.lock"), both).unwrap();
    std::thread::scope(|scope| {
        let names = ["9.1", "9.1-other", "9.1", "9.1-other"];
        let all = names.map(|name| scope.spawn(|| setting.store().resolve(&setting.catalog(), name)));
        all.into_iter().for_each(|one| assert_release(&one.join().unwrap().unwrap(), 1));
    });
    assert_eq!(fs::read_dir(setting.dir.path().join("cache/deb")).unwrap().count(), 0, "packages take space");
}

#[test]
fn a_transfer_goes_on_where_it_broke_off() {
    let setting = Setting::new();
    let release = release(1);
    let body = release.packages[0].3.clone();
    let half = body.len() / 2;
    setting.server.reply(release.image_path(), Reply::Breaks { body, always: false });
    assert_release(&setting.resolve().unwrap(), 1);
    let requests = setting.server.requests();
    assert!(requests.contains(&format!("{}@{half}", release.image_path())), "{requests:?}");
}

#[test]
fn a_transfer_that_always_breaks_off_is_an_error_that_says_where() {
    let setting = Setting::new();
    let release = release(1);
    let body = release.packages[0].3.clone();
    setting.server.reply(release.image_path(), Reply::Breaks { body, always: true });
    let error = setting.failure();
    assert!(error.to_string().contains(release.image_path()), "{error}");
    assert_eq!(setting.server.requests().len(), 3, "attempts");
}

#[test]
fn a_changed_file_is_refused() {
    let setting = Setting::new();
    let release = release(1);
    let mut body = release.packages[0].3.clone();
    *body.last_mut().unwrap() ^= 1;
    setting.server.put(release.image_path(), body.clone());
    let error = setting.failure();
    assert!(error.to_string().contains(&sha256(&body)), "{error}");
    assert!(error.advice().unwrap().contains("--mirror"));

    setting.server.put(release.image_path(), [&body[..], b"more"].concat());
    assert!(setting.failure().to_string().contains("bytes"));
}

#[test]
fn an_unreachable_archive_is_named() {
    let mut setting = Setting::new();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    setting.options.mirror = Some(format!("http://{free}"));
    let error = setting.failure();
    assert!(error.to_string().starts_with(&format!("cannot fetch `http://{free}/pool/")), "{error}");
    assert!(error.advice().unwrap().contains("--mirror"));
}

#[test]
fn offline_with_an_empty_cache_is_an_error() {
    let mut setting = Setting::new();
    setting.options.offline = true;
    let error = setting.failure();
    assert!(error.to_string().contains("--offline"), "{error}");
    assert_eq!(setting.server.requests(), [""; 0]);
}

#[test]
fn a_dropped_kernel_is_an_error_when_the_lock_must_be_kept() {
    let mut setting = Setting::new();
    setting.options.locked = true;
    setting.server.remove(release(1).image_path());
    let error = setting.failure();
    assert!(error.to_string().contains("9.1.1+deb13-cloud-amd64"), "{error}");
    assert!(error.advice().unwrap().contains("modrig kernels update"));
}

#[test]
fn the_newest_of_the_series_takes_the_place_of_a_dropped_kernel() {
    let key = Key::new();
    let mut setting = Setting::new();
    setting.server.remove(release(1).image_path());
    for number in [9, 10] {
        release(number).upload(&setting.server);
    }
    setting.sign(&[release(10), release(9)], &key, FAR);
    assert_release(&setting.resolve().unwrap(), 10);

    // It is remembered: neither the archive nor its index is asked again.
    setting.server.requests();
    setting.options.offline = true;
    assert_release(&setting.resolve().unwrap(), 10);
    assert_eq!(setting.server.requests(), [""; 0]);

    setting.options = FetchOptions { locked: true, offline: false, ..setting.options };
    assert!(setting.resolve().unwrap_err().to_string().contains("9.1.1+deb13-cloud-amd64"));
}

#[test]
fn an_update_locks_the_newest() {
    let key = Key::new();
    let mut setting = Setting::new();
    release(10).upload(&setting.server);
    setting.sign(&[release(1), release(10)], &key, FAR);
    let (changes, text) = setting.store().update(&setting.catalog(), &["9.1".to_owned()]).unwrap();
    assert_eq!(changes, ["9.1: 9.1.1+deb13-cloud-amd64 -> 9.1.10+deb13-cloud-amd64"]);
    Store::write_lock(&setting.dir.path().join("kernels.lock"), &text).unwrap();
    assert_release(&setting.resolve().unwrap(), 10);
    let (changes, same) = setting.store().update(&setting.catalog(), &["9.1".to_owned()]).unwrap();
    assert_eq!(changes, ["9.1: 9.1.10+deb13-cloud-amd64 is still the newest"]);
    assert_eq!(same, text);
}

#[test]
fn an_index_is_believed_only_when_signed_unchanged_and_current() {
    let (key, stranger) = (Key::new(), Key::new());
    let mut setting = Setting::new();
    let update = |setting: &Setting| setting.store().update(&setting.catalog(), &["9.1".to_owned()]).unwrap_err();

    setting.sign(&[release(10)], &key, "Thu, 01 Jan 2026 00:00:00 UTC");
    assert!(update(&setting).advice().unwrap().contains("--allow-expired"));

    setting.sign(&[release(10)], &key, FAR);
    let in_release = "dists/trixie-backports/InRelease";
    let Some(Reply::Whole(signed)) = setting.server.state.lock().unwrap().files.get(in_release).cloned() else {
        panic!("it was put there above");
    };
    let signed = String::from_utf8(signed).unwrap();
    setting.server.put(in_release, signed.replace("2200", "2300"));
    assert!(update(&setting).to_string().ends_with("its signature is bad"));
    setting.server.put(in_release, "Codename: trixie-backports\n");
    assert!(update(&setting).to_string().ends_with("it is not signed"));

    setting.server.put(in_release, signed);
    setting.server.put("dists/trixie-backports/main/binary-amd64/Packages.xz", "something else");
    assert!(update(&setting).to_string().contains("SHA-256"));

    setting.sign(&[release(10)], &stranger, FAR);
    setting.options.keyring = Some(key.keyring());
    assert!(update(&setting).to_string().ends_with("none of the known keys has signed it"));
}

#[test]
fn what_is_no_kernel_is_refused_with_the_reason() {
    let setting = Setting::new();
    let check = |content: &[u8], expected: &str| {
        let path = setting.dir.path().join("vmlinuz");
        fs::write(&path, content).unwrap();
        let error = setting.store().resolve(&setting.catalog(), path.to_str().unwrap()).unwrap_err();
        assert_eq!(error.blame(), Blame::Usage);
        assert!(error.chain().contains("vmlinuz") && error.chain().contains(expected), "{}", error.chain());
    };
    let whole = vmlinuz();
    check(b"garbage", "neither a bzImage nor an ELF kernel");
    check(&whole[..whole.len() - 3], "truncated");
    let mut damaged = whole.clone();
    damaged[1024 + 12..1024 + 20].fill(0xff);
    check(&damaged, "does not unpack");
    check(b"\x7fELF\x02\x01\x01", "truncated");
}

/// A bzImage whose header names a release, packed in a way that only it can unpack.
fn foreign_bzimage() -> Vec<u8> {
    let mut image = vmlinuz();
    image[1024..1030].copy_from_slice(b"\x89LZO\0\r");
    image[0x20e..0x210].copy_from_slice(&0x100u16.to_le_bytes());
    image[0x300..0x310].copy_from_slice(b"9.1.7-mine (me)\0");
    image
}

#[test]
fn a_users_image_boots_as_it_is_when_it_cannot_be_unpacked() {
    let setting = Setting::new();
    let path = setting.dir.path().join("vmlinuz-9.1.7-mine");
    fs::write(&path, foreign_bzimage()).unwrap();
    fs::write(setting.dir.path().join("config-9.1.7-mine"), "CONFIG_MODULES=y\n").unwrap();
    let kernel = setting.store().resolve(&setting.catalog(), path.to_str().unwrap()).unwrap();
    assert_eq!(kernel.release, "9.1.7-mine");
    assert_eq!(fs::read(&kernel.image).unwrap(), foreign_bzimage());
    assert!(kernel.config.is_built_in("MODULES"));
    assert!(matches!(kernel.headers, Headers::Absent(_)));
}

#[test]
fn a_built_tree_brings_its_own_headers() {
    let setting = Setting::new();
    let tree = setting.dir.path().join("linux");
    let put = |path: &str, content: &[u8]| {
        let path = tree.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    };
    let resolve = |tree: &Path| setting.store().resolve(&setting.catalog(), tree.to_str().unwrap());
    put("arch/x86/boot/bzImage", &foreign_bzimage());
    put(".config", b"CONFIG_MODULES=y\n");
    let error = resolve(&tree).unwrap_err();
    assert!(error.to_string().contains("include/config/kernel.release"), "{error}");

    put("include/config/kernel.release", b"9.1.8-tree\n");
    let kernel = resolve(&tree).unwrap();
    assert_eq!(kernel.release, "9.1.8-tree");
    assert_eq!(kernel.headers, Headers::Tree(fs::canonicalize(&tree).unwrap()));

    put("Module.symvers", b"another build");
    assert_ne!(resolve(&tree).unwrap().digest, kernel.digest, "modules of the old build would be reused");
}

const PEERS: &str = "tool = { suite = \"trixie-backports\", packages = [\"kmod\", \"libc6\"] }\n\
                     tree = { suite = \"trixie-backports\", series = \"9.1\", flavour = \"amd64\" }\n";

/// A program with its library, and the modules of a kernel, split as Debian does since 7.2.
fn peer_release(number: u32) -> Release {
    let release = format!("9.1.{number}+deb13-amd64");
    let version = format!("9.1.{number}-1");
    let number = number.to_string();
    let modules = format!("usr/lib/modules/{release}");
    let (module, order) = (format!("{modules}/kernel/a.ko"), format!("{modules}/modules.order"));
    let library = "usr/lib/x86_64-linux-gnu/libc.so.6";
    let parts = [
        ("kmod".into(), deb(&[("usr/bin/kmod", number.as_bytes()), ("usr/share/doc/kmod/x", b"")])),
        ("libc6".into(), deb(&[(library, b"library"), ("usr/lib/x86_64-linux-gnu/gconv/x.so", b"")])),
        (format!("linux-image-{release}"), deb(&[])),
        (format!("linux-modules-{release}"), deb(&[(&module, number.as_bytes())])),
        (format!("linux-base-{release}"), deb(&[(&order, b"kernel/a.ko\n"), (&format!("{modules}/config"), b"")])),
        // Another flavour, whose name ends in the same way.
        (format!("linux-image-9.1.{number}9+deb13-cloud-amd64"), deb(&[])),
    ];
    let packages =
        parts.map(|(name, deb): (String, _)| (format!("pool/{name}_{version}.deb"), name, String::new(), deb));
    Release { version, packages: packages.into() }
}

/// A setting whose lock file an update has written, when release 1 was the newest.
fn peer_setting(key: &Key) -> (Setting, Peers) {
    let mut setting = Setting::new();
    peer_release(1).upload(&setting.server);
    setting.sign(&[peer_release(1)], key, FAR);
    let none = Peers::parse(PEERS, "").unwrap();
    let (changes, lock) = setting.store().update(&none, &["tool".to_owned(), "tree".to_owned()]).unwrap();
    assert_eq!(changes, ["tool: nothing -> 9.1.1-1", "tree: nothing -> 9.1.1+deb13-amd64"]);
    setting.options.keyring = None;
    (setting, Peers::parse(PEERS, &lock).unwrap())
}

#[test]
fn peers_are_fetched_as_kernels_are_and_only_what_is_needed_stays() {
    let key = Key::new();
    let (mut setting, peers) = peer_setting(&key);
    let (release, tool) = setting.store().obtain(&peers, "tool").unwrap();
    assert_eq!(release, "9.1.1-1");
    assert_eq!(files_below(&tool), ["bin/kmod", "lib/libc.so.6"]);
    let (release, tree) = setting.store().obtain(&peers, "tree").unwrap();
    assert_eq!(release, "9.1.1+deb13-amd64");
    let modules = "lib/modules/9.1.1+deb13-amd64";
    assert_eq!(files_below(&tree), [format!("{modules}/kernel/a.ko"), format!("{modules}/modules.order")]);

    setting.server.requests();
    setting.options.offline = true;
    assert_eq!(setting.store().obtain(&peers, "tree").unwrap().1, tree);
    assert_eq!(setting.server.requests(), [""; 0]);
    let error = setting.store().obtain(&peers, "tol").unwrap_err();
    assert_eq!(error.advice(), Some("did you mean tool? known are tool, tree"));
}

#[test]
fn the_newest_takes_the_place_of_a_dropped_peer() {
    let key = Key::new();
    let (mut setting, peers) = peer_setting(&key);
    for (path, ..) in &peer_release(1).packages {
        setting.server.remove(path);
    }
    setting.options.locked = true;
    let error = setting.store().obtain(&peers, "tool").unwrap_err();
    assert!(error.to_string().contains("9.1.1-1, which peer tool is locked to"), "{error}");
    assert!(error.advice().unwrap().contains("modrig peers update"));

    setting.options.locked = false;
    peer_release(2).upload(&setting.server);
    setting.sign(&[peer_release(2)], &key, FAR);
    let (release, tool) = setting.store().obtain(&peers, "tool").unwrap();
    assert_eq!((release.as_str(), fs::read_to_string(tool.join("bin/kmod")).unwrap().as_str()), ("9.1.2-1", "2"));
    assert_eq!(setting.store().obtain(&peers, "tree").unwrap().0, "9.1.2+deb13-amd64");
}

/// Paths of the files below a directory, sorted.
fn files_below(directory: &Path) -> Vec<String> {
    let mut files = Vec::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(next) = directories.pop() {
        for entry in fs::read_dir(next).unwrap().flatten() {
            match entry.path() {
                path if path.is_dir() => directories.push(path),
                path => files.push(path.strip_prefix(directory).unwrap().display().to_string()),
            }
        }
    }
    files.sort();
    files
}
