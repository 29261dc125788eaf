//! Opens a socket to one address and encrypts it, as far as that is wanted and the server lets it (manual, section
//! "SSL Session Encryption").

use std::{io, net::SocketAddr, sync::Arc};

use rustls::{ClientConfig, pki_types::ServerName};
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpStream, UnixStream},
};
use tokio_postgres::{Config, config::Host};
use tokio_rustls::TlsConnector;

use super::{
    cause::{Cause, Encryption},
    stream::{GuardedStream, Wire},
};
use crate::postgres::{Target, TargetHost, end_point};

/// The code of a request for TLS instead of the version of a protocol.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];
const ALPN: &[u8] = b"postgresql";

/// The stream, and whether it is encrypted. No address stands for a socket.
pub(super) async fn open(
    target: &Target,
    host: &TargetHost,
    address: Option<SocketAddr>,
    encryption: Encryption,
) -> Result<(GuardedStream, bool), Cause> {
    let plain = |wire| Ok((GuardedStream::new(wire, target.auth_guard(host, false), None), false));
    let Some(address) = address else {
        let Some(Host::Unix(dir)) = &host.host else {
            return Err(Cause::Socket(io::Error::other("there is no address")));
        };
        let path = dir.join(format!(".s.PGSQL.{}", host.port));
        return plain(Wire::Unix(UnixStream::connect(path).await.map_err(Cause::Socket)?));
    };
    let mut stream = connect(target, host, address).await.map_err(Cause::Socket)?;
    let tls = target.tls();
    let (mode, is_default) = (tls.mode_of(host), tls.is_default());
    if encryption == Encryption::Off {
        return plain(Wire::Tcp(stream));
    }
    if !tls.is_direct && !is_offered(&mut stream).await? {
        return if encryption == Encryption::Insist {
            Err(Cause::NoTls { mode, is_default })
        } else {
            plain(Wire::Tcp(stream))
        };
    }
    let Some((client, name)) = tls.client(host, address.ip()) else {
        return Err(Cause::NoTls { mode, is_default });
    };
    let stream = shake_hands(client, name, stream, tls.is_direct);
    let stream = stream.await.map_err(|error| Cause::Tls { error, is_default })?;
    let certificates = stream.get_ref().1.peer_certificates();
    let binding = certificates.and_then(<[_]>::first).and_then(|one| end_point(one));
    Ok((GuardedStream::new(Wire::Tls(Box::new(stream)), target.auth_guard(host, true), binding), true))
}

/// One byte is read and no more: what a stranger sends behind it in clear does not count as the server's.
async fn is_offered(stream: &mut TcpStream) -> Result<bool, Cause> {
    stream.write_all(&SSL_REQUEST).await.map_err(Cause::Socket)?;
    match stream.read_u8().await.map_err(Cause::Socket)? {
        b'S' => Ok(true),
        b'N' => Ok(false),
        // An error of a server that has none to spare, which nobody vouches for.
        _ => Err(Cause::Socket(io::Error::other("the answer to the request for TLS is neither yes nor no"))),
    }
}

async fn shake_hands(
    client: ClientConfig,
    name: ServerName<'static>,
    stream: TcpStream,
    is_direct: bool,
) -> io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let stream = TlsConnector::from(Arc::new(client)).connect(name, stream).await?;
    if is_direct && stream.get_ref().1.alpn_protocol() != Some(ALPN) {
        let message =
            "the server does not speak PostgreSQL's protocol over direct TLS; leave sslnegotiation out";
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    Ok(stream)
}

async fn connect(target: &Target, host: &TargetHost, address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    keep_alive(&stream, &target.config_of(host))?;
    Ok(stream)
}

fn keep_alive(stream: &TcpStream, config: &Config) -> io::Result<()> {
    let socket = SockRef::from(stream);
    #[cfg(target_os = "linux")]
    if let Some(time) = config.get_tcp_user_timeout() {
        socket.set_tcp_user_timeout(Some(*time))?;
    }
    if config.get_keepalives() {
        let mut keepalive = TcpKeepalive::new().with_time(config.get_keepalives_idle());
        if let Some(interval) = config.get_keepalives_interval() {
            keepalive = keepalive.with_interval(interval);
        }
        if let Some(retries) = config.get_keepalives_retries() {
            keepalive = keepalive.with_retries(retries);
        }
        socket.set_tcp_keepalive(&keepalive)?;
    }
    Ok(())
}
