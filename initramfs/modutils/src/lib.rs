//! The module tools as a library.
