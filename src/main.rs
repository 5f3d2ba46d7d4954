//! The `soundwatch` command.

fn main() {}
