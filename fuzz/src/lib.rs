//! Fuzz oracles for the module formats, as ordinary functions.
