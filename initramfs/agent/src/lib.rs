//! What the host and the guest's programs share: the messages between host and agent, the guest's end of
//! their link, and the record that the helper writes.
//!
//! The agent, PID 1 of the guest, knows how to run programs, move bytes and make the three module system
//! calls. It judges nothing and knows no scenario.

pub mod call;
pub mod link;
pub mod slots;
pub mod uevents;
pub mod wire;
