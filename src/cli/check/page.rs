//! What `run` needs for its page: the token's file, and an address that is free.

use std::io::{Error, ErrorKind};
use std::net::{SocketAddr, TcpListener};

use crate::config::{Config, Examined};
use crate::problem::{Problem, Problems};
use crate::service::Holder;

/// What is wrong with `[http]`; `collecting` are those who collect into the same database.
pub(super) fn problems(examined: &Examined, collecting: &[Holder]) -> Vec<Problem> {
    let config = &examined.config;
    let mut problems = Vec::new();
    if let Some(listen) = config.http.listen.filter(|_| examined.is_sure_of("http.listen")) {
        if examined.is_sure_of("http.token_file") {
            problems.extend(of_token(config));
        }
        problems.extend(of_address(listen, collecting));
    }
    problems
}

fn of_token(config: &Config) -> Vec<Problem> {
    match config.http_token() {
        Ok(_) => Vec::new(),
        Err(Problems(problems)) => problems,
    }
}

/// Binds the address once, as `run` will.
fn of_address(listen: SocketAddr, collecting: &[Holder]) -> Option<Problem> {
    let error = TcpListener::bind(listen).err()?;
    let here = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let daemon_has_it =
        error.kind() == ErrorKind::AddrInUse && collecting.iter().any(|holder| holder.host == here);
    (!daemon_has_it).then(|| taken(listen, &error))
}

fn taken(listen: SocketAddr, error: &Error) -> Problem {
    let help = match error.kind() {
        ErrorKind::AddrInUse => "stop the program that listens there, or set http.listen to another port",
        ErrorKind::PermissionDenied => "set http.listen to a port of 1024 or above",
        _ => "set http.listen to an address of this machine",
    };
    Problem::new(format!("http.listen: cannot listen on {listen}: {error}")).help(help)
}
