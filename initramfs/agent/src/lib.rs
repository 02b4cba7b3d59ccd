//! The messages that the host and the agent, PID 1 of the guest, exchange.
//!
//! The agent knows how to run programs, move bytes and make the three module system calls. It judges
//! nothing and knows no scenario.

pub mod wire;
