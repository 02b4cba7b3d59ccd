//! Trees of small modules, made on the spot, with everything in them that the tools look at.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use modfile::{elf::Layout, write::Module};

use super::{
    case::{Input, Put},
    tool::{End, Side, Tools},
    words::Call,
};
use crate::error::{Context as _, Error, Result};

/// The release that the modules are for.
pub(super) const RELEASE: &str = "6.99.1-made";

/// The trees.
#[derive(Debug)]
pub(super) struct Made {
    sound: PathBuf,
    odd: PathBuf,
    indexed: PathBuf,
}

impl Made {
    /// Makes the trees below a directory. The index is the real kmod's work, so that ours is judged by that.
    pub(super) fn new(place: &Path, tools: &Tools) -> Result<Self> {
        let [sound, odd, indexed] = ["sound", "odd", "indexed"].map(|name| place.join(name));
        let failed = || "cannot write the made modules";
        for root in [&sound, &odd, &indexed] {
            write_tree(root, sound_files()).context(failed)?;
        }
        write_tree(&odd, odd_files()).context(failed)?;
        index(tools, &indexed, &indexed, RELEASE)?;
        Ok(Self { sound, odd, indexed })
    }

    /// `root`: a tree without a fault, to be read.
    pub(super) fn sound(&self) -> Input {
        vec![("root".into(), Put::Link(self.sound.clone()))]
    }

    /// `root`: the same, to be written.
    pub(super) fn copy(&self) -> Input {
        vec![("root".into(), Put::Copy(self.sound.clone()))]
    }

    /// `root`: the same and what tools complain of, to be read.
    pub(super) fn odd(&self) -> Input {
        vec![("root".into(), Put::Link(self.odd.clone()))]
    }

    /// `root`: the tree without a fault and its indexes, to be read.
    pub(super) fn indexed(&self) -> Input {
        vec![("root".into(), Put::Link(self.indexed.clone()))]
    }

    /// `root`: the same, to be written.
    pub(super) fn indexed_copy(&self) -> Input {
        vec![("root".into(), Put::Copy(self.indexed.clone()))]
    }

    /// A file of the tree with indexes.
    pub(super) fn index_file(&self, name: &str) -> Result<Vec<u8>> {
        let path = self.indexed.join("lib/modules").join(RELEASE).join(name);
        fs::read(&path).context(|| format!("cannot read `{}`", path.display()))
    }
}

/// Has the real kmod write the indexes of the tree below `root` to the tree below `out`.
pub(super) fn index(tools: &Tools, root: &Path, out: &Path, release: &str) -> Result<()> {
    let arguments = ["-b", &root.display().to_string(), "-o", &out.display().to_string(), release].map(str::to_owned);
    let call = Call { environment: vec![], program: "depmod".into(), arguments: arguments.into() };
    let said = tools.call(Side::Kmod, &call, root, Duration::from_secs(300))?;
    match said.end {
        End::Exit(0) => Ok(()),
        end => Err(Error::new(format!("kmod's depmod fails ({end:?}): {}", String::from_utf8_lossy(&said.err)))),
    }
}

/// Places below the release's directory, and contents.
type Files = Vec<(String, Vec<u8>)>;

fn write_tree(root: &Path, files: Files) -> std::io::Result<()> {
    for (place, bytes) in files {
        let path = root.join("lib/modules").join(RELEASE).join(place);
        fs::create_dir_all(path.parent().unwrap_or(root))?;
        fs::write(path, bytes)?;
    }
    Ok(())
}

/// What no tool complains of.
fn sound_files() -> Files {
    let mut files = Files::new();
    let mut add = |place: &str, bytes: Vec<u8>| files.push((place.to_owned(), bytes));
    for (place, module) in linked().into_iter().chain(telling()).chain(unusual()) {
        add(&format!("kernel/{place}.ko"), module.build());
    }
    for (name, module) in (0..24).map(one_of_many) {
        add(&format!("kernel/many/{name}.ko"), module.build());
    }
    let signed = Module::new("signed_old").modinfo("license", "GPL").build();
    add(
        "kernel/sign/signed_old.ko",
        [signed.clone(), signature(1, b"The signer", b"\x01\x02\xab", &[0xa5; 45])].concat(),
    );
    add("kernel/sign/signed_pgp.ko", [signed.clone(), signature(0, b"", b"\xff", &[1; 20])].concat());
    add("kernel/sign/signed_junk.ko", [signed.clone(), signature(2, b"", b"", b"no DER")].concat());
    add("kernel/sign/signed_other.ko", [signed, signature(9, b"", b"", b"x")].concat());
    let packed = packed();
    add("kernel/packed/packed_xz.ko.xz", xz(&packed));
    add("kernel/packed/packed_zst.ko.zst", zstd(&packed));
    add("updates/twice.ko", Module::new("twice").modinfo("description", "updated").build());
    add("extra/twice.ko", Module::new("twice").modinfo("description", "extra").build());
    add("kernel/a/twice.ko", Module::new("twice").modinfo("description", "old").build());
    add("build/no.ko", Module::new("no").build());
    add("kernel/text.ko.txt", b"no module".to_vec());
    add("modules.order", ORDER.into());
    add("modules.builtin", b"kernel/fs/inner.ko\nkernel/drivers/built-in-two.ko\nkernel/lib/third.ko\n".to_vec());
    add("modules.builtin.modinfo", BUILTIN_MODINFO.into());
    files
}

/// What a tool may complain of, or see in another way than its neighbour.
fn odd_files() -> Files {
    let mut files: Files = odd().into_iter().map(|(place, odd)| (format!("kernel/{place}.ko"), odd.build())).collect();
    files.push(("kernel/packed/misnamed_plain.ko".into(), xz(&packed())));
    files.push(("kernel/packed/misnamed.ko.xz".into(), packed()));
    files.push(("kernel/.ko".into(), Module::new("nameless").build()));
    files
}

const ORDER: &str =
    "kernel/net/base.ko\nkernel/net/mid.ko\nkernel/many/many_13.ko\nkernel/gone.ko\nkernel/packed/packed_xz.ko\n";

/// Every module needs one with a larger number only, lest there be a circle.
fn one_of_many(number: u32) -> (String, Module) {
    let name = format!("many_{number:02}");
    let module = Module::new(&name).exports(&format!("given_{number:02}"));
    let other = (number * 7 + 5) % 24;
    (name, if other > number { module.needs(&format!("given_{other:02}")) } else { module })
}

fn packed() -> Vec<u8> {
    Module::new("packed").modinfo("alias", "packed:*").needs("base_one").build()
}

const BUILTIN_MODINFO: &[u8] = b"inner.license=GPL\0inner.file=fs/inner\0inner.alias=fs-inner\0inner.parm=x:A number\0\
    inner.parmtype=x:int\0built_in_two.alias=pci:v*d-[a-f]*\0built_in_two.author=A B\0third.description=text\0inner.late=1\0";

/// Modules that need each other.
fn linked() -> Vec<(&'static str, Module)> {
    vec![
        ("net/base", Module::new("base").exports_with_crc("base_one", 0x1111_1111).exports_with_crc("base_two", 2)),
        (
            "net/mid",
            Module::new("mid")
                .needs("base_one")
                .exports_with_crc("mid_one", 0xffff_ffff)
                .version("base_one", 0x1111_1111),
        ),
        ("net/left", Module::new("left").needs("mid_one").exports("left_one")),
        ("net/right", Module::new("right").needs("base_two").needs("mid_one").exports("right_one")),
        (
            "net/top",
            Module::new("top").needs("left_one").needs("right_one").version("right_one", 7).version("printk", 1),
        ),
        ("net/weak", Module::new("weak").needs_weakly("base_two").needs_weakly("nobody_has_it")),
        ("net/orphan", Module::new("orphan").needs("nobody_has_this").needs("module_layout")),
        ("net/again", Module::new("again").exports("base_one")),
        ("net/dotted", Module::new("dotted").needs(".mid_one").exports(".dotted_one")),
        ("net/versioned", Module::new("versioned").version("base_one", 9).version("left_one", 0)),
    ]
}

/// Modules that say something about themselves.
fn telling() -> Vec<(&'static str, Module)> {
    let full = Module::new("full")
        .modinfo("license", "GPL v2")
        .modinfo("author", "One <one@example.org>")
        .modinfo("author", "Two")
        .modinfo("description", "All there is")
        .modinfo("version", "1.0")
        .modinfo("firmware", "a/b.bin")
        .modinfo("parm", "first:The first")
        .modinfo("parmtype", "first:int")
        .modinfo("parmtype", "bare:array of charp")
        .modinfo("parm", "lone:No type")
        .modinfo("parm", "odd without a colon")
        .modinfo("parm", "two: a: b")
        .modinfo("parmtype", "two:uint")
        .modinfo("a_key_of_many_letters", "x")
        .modinfo("fifteen_letters", "y")
        .modinfo("empty", "")
        .modinfo("vermagic", "6.99.1-made SMP mod_unload modversions ")
        .modinfo("depends", "mid,base");
    vec![
        ("tell/full", full),
        (
            "tell/pci",
            Module::new("pci")
                .modinfo("alias", "pci:v00001AF4d00001000sv*sd*bc*sc*i*")
                .modinfo("alias", "of:N*T*Ca,b-c"),
        ),
        ("tell/ranges", Module::new("ranges").modinfo("alias", "usb:v[0-9]p-[a-c-e]*").modinfo("alias", "x-y?z")),
        ("tell/shared-a", Module::new("shared_a").modinfo("alias", "shared:*").modinfo("alias", "shared:1*")),
        ("tell/shared_b", Module::new("shared_b").modinfo("alias", "shared:*").modinfo("alias", "shared:12")),
        (
            "tell/dev-one",
            Module::new("dev_one").modinfo("alias", "devname:one/ctl").modinfo("alias", "char-major-10-229"),
        ),
        ("tell/dev-two", Module::new("dev_two").modinfo("alias", "block-major-7-1").modinfo("alias", "devname:two")),
        (
            "tell/soft",
            Module::new("soft").modinfo("softdep", "pre: base mid post: pci").modinfo("softdep", "post: top"),
        ),
        ("tell/weakly", Module::new("weakly").modinfo("weakdep", "base").modinfo("weakdep", "full pci")),
        ("tell/softly", Module::new("softly").modinfo("softdep", "pre: soft")),
    ]
}

/// Modules of unusual names and forms.
fn unusual() -> Vec<(&'static str, Module)> {
    vec![
        ("odd/UPPER", Module::new("UPPER").modinfo("alias", "Upper")),
        ("odd/a.b.c", Module::new("a").exports("abc")),
        ("odd/dash-ed_name", Module::new("dash_ed_name").needs("abc")),
        (
            "odd/small",
            Module::new("small")
                .layout(Layout { is_64: false, is_big: false })
                .exports_with_crc("small_one", 3)
                .version("base_one", 4),
        ),
        (
            "odd/big",
            Module::new("big")
                .layout(Layout { is_64: true, is_big: true })
                .exports("big_one")
                .needs("base_two")
                .version("x", 5),
        ),
        ("odd/old", Module::new("old").layout(Layout { is_64: false, is_big: true }).needs("small_one")),
        ("odd/wide", Module::new("wide").modinfo("description", "gr\u{fc}n \u{2013} \u{1f600}")),
        ("odd/lines", Module::new("lines").modinfo("description", "two\nlines\tand a tab")),
    ]
}

/// Modules that say strange things.
fn odd() -> Vec<(&'static str, Module)> {
    let runs = b"\0\0license=GPL\0\0\0no equals sign\0=no key\0last=unfinished".to_vec();
    vec![
        (
            "tell/brackets",
            Module::new("brackets").modinfo("alias", "open:[a-").modinfo("alias", "shut:a]b").modinfo("alias", ""),
        ),
        ("tell/dev-bad", Module::new("dev_bad").modinfo("alias", "devname:bad")),
        ("tell/dev-odd", Module::new("dev_odd").modinfo("alias", "devname:odd").modinfo("alias", "char-major-x-*")),
        ("odd/runs", Module::new("runs").section(".modinfo", runs)),
        ("odd/silent", Module::new("silent").section(".modinfo", vec![])),
    ]
}

/// What is appended to a signed module: signer, key, signature, then 12 bytes about them and the marker.
fn signature(kind: u8, signer: &[u8], key: &[u8], signature: &[u8]) -> Vec<u8> {
    const SHA256: u8 = 4;
    let about = [0, SHA256, kind, signer.len() as u8, key.len() as u8, 0, 0, 0];
    let length = (signature.len() as u32).to_be_bytes();
    [signer, key, signature, &about, &length, b"~Module signature appended~\n"].concat()
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    let mut encoder = liblzma::read::XzEncoder::new(bytes, 0);
    std::io::Read::read_to_end(&mut encoder, &mut packed).expect("reading from memory does not fail");
    packed
}

/// A frame that tells its size, of one block that is not compressed. kmod refuses a frame without its size.
fn zstd(bytes: &[u8]) -> Vec<u8> {
    let length = bytes.len() as u32;
    let block = (length << 3 | 1).to_le_bytes();
    [&b"\x28\xb5\x2f\xfd\xa0"[..], &length.to_le_bytes(), &block[..3], bytes].concat()
}
