//! Signed modules, which only the distribution can make: stock modules of the kernel with all drivers.

use super::policy::lock_down;
use crate::{
    check::{Check, Stop},
    guest::Guest,
    scenario,
    scenario::{Literature::Kernel, Machine, Scenario},
};

/// A small stock module, which needs no other.
const STOCK: &[&str] = &["usb_common"];

pub(super) const ALL: &[Scenario] = &[
    scenario!(signed_module_loads_where_signatures_are_demanded)
        .modules(&["hello"])
        .stock(STOCK)
        .machine(Machine::PC)
        .claim(Kernel, "module.sig_enforce and lockdown let signed modules in, and no others"),
    scenario!(module_without_its_signature_is_unsigned)
        .stock(STOCK)
        .machine(Machine::PC)
        .claim(Kernel, "a stock module whose signature was cut off, as strip does, loads and taints with E alone"),
];

fn signed_module_loads_where_signatures_are_demanded(guest: &mut Guest) -> Check {
    guest.write("/sys/module/module/parameters/sig_enforce", "1")?;
    lock_down(guest, "integrity")?;
    guest.run("modprobe", &["usb_common"])?.succeeds()?;
    guest.is_live("usb_common")?;
    guest.run("modprobe", &["hello"])?.exits_with(1)?;
    guest.is_absent("hello")
}

/// A stock module up to its signature. The trailer is the mark and, before it, the length of what precedes.
fn without_signature(bytes: &[u8]) -> Check<&[u8]> {
    const MARK: &[u8] = b"~Module signature appended~\n";
    const DESCRIPTION: usize = 12;
    let signed = bytes.strip_suffix(MARK).and_then(|rest| rest.split_last_chunk::<4>());
    let (rest, length) = signed.ok_or_else(|| Stop::failed("the stock module should be signed"))?;
    Ok(&bytes[..(rest.len() + 4).saturating_sub(DESCRIPTION + u32::from_be_bytes(*length) as usize)])
}

fn module_without_its_signature_is_unsigned(guest: &mut Guest) -> Check {
    let bytes = guest.stock_file("usb_common")?;
    guest.load_bytes("usb_common without its signature", without_signature(&bytes)?)?.succeeds()?;
    guest.module_taint_is("usb_common", "E")?;
    guest.logged("usb_common: module verification failed: signature and/or required key missing - tainting kernel")
}
