//! What user space does that makes the kernel request a module, and under which names. The helper only writes them
//! down; [`super::on_demand`] has modules that answer to such names.

use crate::{
    behaviour::UNKNOWN_FORMAT_IS_ASKED_FOR,
    check::{Check, Stop},
    errno::Errno,
    guest::{Act, Guest, same},
    scenario,
    scenario::{
        Commit,
        Literature::{ExecModprobe, Framework, RequestModule},
        Scenario,
    },
};

pub(super) const ALL: &[Scenario] = &[
    scenario!(mount_asks_for_the_file_system)
        .claim(ExecModprobe, "mounting a file system that the kernel does not know requests it by its name")
        .until(
            "3.9",
            Commit("7f78e0351394", "fs: Limit sys_mount to only request filesystem modules."),
            "fs-NAME is requested, so that mount cannot load just any module",
        ),
    scenario!(character_nodes_ask_by_both_numbers)
        .claim(ExecModprobe, "opening a character device whose driver is not there requests char-major-MAJOR")
        .note("char-major-MAJOR-MINOR is requested first, and the other when that helper fails"),
    scenario!(block_nodes_ask_by_both_numbers)
        .claim(ExecModprobe, "opening a block device whose driver is not there requests block-major-MAJOR")
        .note("block-major-MAJOR-MINOR is requested first, and the other when that helper fails"),
    scenario!(unknown_program_asks_for_its_format)
        .claim(ExecModprobe, "executing a file of an unknown format requests binfmt-XXXX, after its bytes 2 and 3")
        .until_fact(UNKNOWN_FORMAT_IS_ASKED_FOR.turn(), "an unknown format is ENOEXEC, and nothing is requested"),
    scenario!(text_asks_for_no_format)
        .claim(ExecModprobe, "a file that begins with printable characters is no unknown format of programs"),
    scenario!(sockets_ask_for_their_family)
        .claim(ExecModprobe, "a socket of a family that is not there requests net-pf-FAMILY"),
    scenario!(sockets_ask_for_their_protocol)
        .claim(Framework, "a socket of an unknown protocol requests net-pf-FAMILY-proto-PROTOCOL")
        .note("net-pf-FAMILY-proto-PROTOCOL-type-TYPE is requested first"),
    scenario!(netlink_asks_for_its_protocol)
        .claim(Framework, "a netlink socket of an unknown protocol requests net-pf-16-proto-PROTOCOL"),
    scenario!(interfaces_are_asked_for_as_capabilities_allow)
        .claim(RequestModule, "asking for an unknown network interface requests a module of its name")
        .note("netdev-NAME for who has CAP_NET_ADMIN, then NAME for who has CAP_SYS_MODULE; nothing for others"),
    scenario!(algorithms_are_asked_for)
        .modules(&["seeks_hash"])
        .claim(Framework, "an algorithm that is not registered is requested as crypto-NAME, then as crypto-NAME-all")
        .note("then cryptomgr, which makes algorithms of others, where it is a module"),
    scenario!(anybody_can_ask).claim(ExecModprobe, "the helper runs for requests of ordinary users, too"),
];

/// The names that the kernel has requested since the recording helper was named, in order.
fn requests(guest: &mut Guest) -> Check<Vec<String>> {
    Ok(guest.calls()?.iter().map(|call| call.argv.last().cloned().unwrap_or_default()).collect())
}

/// They are these.
fn requested(guest: &mut Guest, expected: &[&str]) -> Check {
    same("requested", &requests(guest)?.join(" "), &expected.join(" "))
}

fn mount_asks_for_the_file_system(guest: &mut Guest) -> Check {
    guest.set_helper("record")?;
    guest.act(Act::mount("none", "/tmp", "nosuchfs", 0))?.fails_with(Errno::ENODEV)?;
    requested(guest, &["fs-nosuchfs"])
}

/// Opens a node of this kind with the numbers 241 and 5, of which the first is for local use. The helper fails, so that
/// the kernel asks on.
fn open_node(guest: &mut Guest, kind: u32) -> Check {
    guest.set_helper("exit-1")?;
    guest.act(Act::make_node("/dev/local", kind, 241, 5))?.works()?;
    guest.act(Act::open("/dev/local", libc::O_RDONLY))?.fails_with(Errno::ENXIO)
}

fn character_nodes_ask_by_both_numbers(guest: &mut Guest) -> Check {
    open_node(guest, libc::S_IFCHR)?;
    requested(guest, &["char-major-241-5", "char-major-241"])
}

fn block_nodes_ask_by_both_numbers(guest: &mut Guest) -> Check {
    open_node(guest, libc::S_IFBLK)?;
    requested(guest, &["block-major-241-5", "block-major-241"])
}

/// Executes a file with this content, which the kernel cannot.
fn execute(guest: &mut Guest, content: &[u8]) -> Check {
    guest.set_helper("record")?;
    guest.put_program("/tmp/program", content)?;
    guest.act(Act::execute("/tmp/program"))?.fails_with(Errno::ENOEXEC)
}

fn unknown_program_asks_for_its_format(guest: &mut Guest) -> Check {
    execute(guest, &[1, 2, 3, 4, 5, 6, 7, 8])?;
    match UNKNOWN_FORMAT_IS_ASKED_FOR.on(guest.version()) {
        true => requested(guest, &["binfmt-0403"]),
        false => requested(guest, &[]),
    }
}

fn text_asks_for_no_format(guest: &mut Guest) -> Check {
    execute(guest, b"echo this is no program\n")?;
    requested(guest, &[])
}

fn sockets_ask_for_their_family(guest: &mut Guest) -> Check {
    guest.set_helper("record")?;
    for family in [libc::AF_X25, libc::AF_ALG, 43] {
        guest.act(Act::socket(family, libc::SOCK_SEQPACKET, 0))?.fails_with(Errno::EAFNOSUPPORT)?;
    }
    requested(guest, &["net-pf-9", "net-pf-38", "net-pf-43"])
}

fn sockets_ask_for_their_protocol(guest: &mut Guest) -> Check {
    guest.set_helper("record")?;
    guest.act(Act::socket(libc::AF_INET, libc::SOCK_STREAM, 250))?.fails_with(Errno::EPROTONOSUPPORT)?;
    requested(guest, &["net-pf-2-proto-250-type-1", "net-pf-2-proto-250"])
}

fn netlink_asks_for_its_protocol(guest: &mut Guest) -> Check {
    guest.set_helper("record")?;
    guest.act(Act::socket(libc::AF_NETLINK, libc::SOCK_RAW, 27))?.fails_with(Errno::EPROTONOSUPPORT)?;
    requested(guest, &["net-pf-16-proto-27"])
}

/// CAP_NET_ADMIN and CAP_SYS_MODULE of linux/capability.h.
const NET_ADMIN: u32 = 12;
const SYS_MODULE: u32 = 16;

fn interfaces_are_asked_for_as_capabilities_allow(guest: &mut Guest) -> Check {
    guest.set_helper("exit-1")?;
    let asks = [
        Act::interface("one"),
        Act::interface("two").with_capabilities(&[NET_ADMIN]),
        Act::interface("three").with_capabilities(&[SYS_MODULE]),
        Act::interface("four").by_user(1000),
    ];
    for ask in asks {
        guest.act(ask)?.fails_with(Errno::ENODEV)?;
    }
    requested(guest, &["netdev-one", "one", "netdev-two", "three"])
}

fn algorithms_are_asked_for(guest: &mut Guest) -> Check {
    guest.set_helper("record")?;
    guest.load_with("seeks_hash", "name=nosuch")?.fails_with(Errno::ENOENT)?;
    let names = requests(guest)?;
    let algorithms: Vec<&str> = names.iter().map(String::as_str).filter(|name| name.starts_with("crypto-")).collect();
    same("requested", &algorithms.join(" "), "crypto-nosuch crypto-nosuch-all")
}

fn anybody_can_ask(guest: &mut Guest) -> Check {
    guest.set_helper("record")?;
    guest.act(Act::socket(libc::AF_X25, libc::SOCK_SEQPACKET, 0).by_user(1000))?.fails_with(Errno::EAFNOSUPPORT)?;
    requested(guest, &["net-pf-9"])?;
    match guest.calls()?[0].status_field("Uid") {
        Some("0\t0\t0\t0") => Ok(()),
        other => Err(Stop::failed(format!("the helper should be root's; it is {other:?}"))),
    }
}
