//! PostgreSQL's protocol by hand (PostgreSQL, "Message Formats"), for parameters of a connection that no library would send.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::cluster::Cluster;
use crate::wait::PATIENCE;

/// Sends a StartupMessage of protocol 3.0 with these parameters. The connection once it is ready for a query, or the SQLSTATE
/// with which the server refused it.
pub fn startup(cluster: &Cluster, parameters: &[(&str, &str)]) -> Result<TcpStream, String> {
    let parameters: String = parameters.iter().map(|(name, value)| format!("{name}\0{value}\0")).collect();
    let length = u32::try_from(parameters.len() + 9).unwrap();
    let message = [&length.to_be_bytes(), &196_608_u32.to_be_bytes(), parameters.as_bytes(), b"\0"].concat();
    let mut stream = TcpStream::connect(("127.0.0.1", cluster.port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(&message).unwrap();
    loop {
        let mut head = [0; 5];
        stream.read_exact(&mut head).unwrap();
        let length = u32::from_be_bytes(head[1..].try_into().unwrap()) as usize;
        let mut body = vec![0; length - 4];
        stream.read_exact(&mut body).unwrap();
        match head[0] {
            // ReadyForQuery.
            b'Z' => return Ok(stream),
            // ErrorResponse: fields that begin with a letter and end with a zero.
            b'E' => {
                let body = String::from_utf8_lossy(&body).into_owned();
                return Err(body.split('\0').find_map(|field| field.strip_prefix('C')).unwrap().to_owned());
            }
            _ => {}
        }
    }
}
