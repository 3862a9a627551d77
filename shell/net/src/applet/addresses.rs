//! This computer's addresses, and when they change: told by the kernel (rtnetlink) where it does, else looked for every second.

use std::net::IpAddr;
use std::time::Duration;
use tokio::time::Instant;

/// How often to look where the system does not tell.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A change of network is several changes, one right after the other: the old address goes, the new one comes, then its route.
const SETTLED_AFTER: Duration = Duration::from_millis(100);

/// Watches the addresses.
pub(super) struct Addresses {
    known: Vec<IpAddr>,
    kernel: Option<Kernel>,
    /// Something has changed, and is to be looked at then.
    look_at: Option<Instant>,
}

impl Addresses {
    /// Must be called within a Tokio runtime.
    pub(super) fn new() -> Addresses {
        let kernel = Kernel::listen().inspect_err(|error| {
            tracing::debug!(%error, "the system does not tell when its addresses change");
        });
        Addresses { known: addresses(), kernel: kernel.ok(), look_at: None }
    }

    /// Waits until they have changed. Nothing is forgotten when the waiting is given up and begun again.
    pub(super) async fn changed(&mut self) {
        loop {
            let look_at = match (self.look_at, &self.kernel) {
                (Some(look_at), _) => look_at,
                (None, Some(kernel)) => match kernel.stirred().await {
                    Ok(()) => Instant::now() + SETTLED_AFTER,
                    Err(error) => {
                        tracing::debug!(%error, "the system tells no more of its addresses");
                        self.kernel = None;
                        Instant::now()
                    }
                },
                (None, None) => Instant::now() + LOOK_EVERY,
            };
            self.look_at = Some(look_at);
            tokio::time::sleep_until(look_at).await;
            self.look_at = None;
            if let Some(kernel) = &self.kernel {
                kernel.forget();
            }
            let now = addresses();
            if now != self.known {
                self.known = now;
                return;
            }
        }
    }

    /// The addresses there are, but for the loopback's.
    pub(super) fn known(&self) -> &[IpAddr] {
        &self.known
    }

    /// Whether something that is sent from this address is sent at all.
    pub(super) fn has(&self, address: IpAddr) -> bool {
        address.is_loopback() || self.known.contains(&address)
    }
}

/// The addresses of this computer; empty when the system does not say.
fn addresses() -> Vec<IpAddr> {
    let mut found: Vec<IpAddr> = match if_addrs::get_if_addrs() {
        Ok(interfaces) => {
            interfaces.iter().filter(|one| !one.is_loopback()).map(if_addrs::Interface::ip).collect()
        }
        Err(error) => {
            tracing::debug!(%error, "the addresses of this computer cannot be listed");
            Vec::new()
        }
    };
    found.sort_unstable();
    found
}

#[cfg(target_os = "linux")]
use linux::Kernel;
#[cfg(not(target_os = "linux"))]
use other::Kernel;

#[cfg(target_os = "linux")]
mod linux {
    use rustix::io::Errno;
    use rustix::net::netlink::SocketAddrNetlink;
    use rustix::net::{AddressFamily, SocketFlags, SocketType};
    use tokio::net::UnixDatagram;

    /// `RTMGRP_LINK`, `RTMGRP_IPV4_IFADDR`, `RTMGRP_IPV6_IFADDR` of `linux/rtnetlink.h`.
    const GROUPS: u32 = 0x1 | 0x10 | 0x100;

    /// The kernel's news of interfaces and addresses. A netlink socket takes and gives datagrams as one of the Unix family does; addresses
    /// are never asked of it.
    pub(super) struct Kernel(UnixDatagram);

    impl Kernel {
        pub(super) fn listen() -> std::io::Result<Kernel> {
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            // No protocol: NETLINK_ROUTE.
            let socket = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
            rustix::net::bind(&socket, &SocketAddrNetlink::new(0, GROUPS))?;
            Ok(Kernel(UnixDatagram::from_std(socket.into())?))
        }

        /// Waits for news, whatever they are.
        pub(super) async fn stirred(&self) -> std::io::Result<()> {
            match self.0.recv(&mut [0; 64]).await {
                // More than there was room for.
                Err(error) if error.raw_os_error() == Some(Errno::NOBUFS.raw_os_error()) => Ok(()),
                told => told.map(drop),
            }
        }

        /// Forgets the news that there are: what they say is looked up.
        pub(super) fn forget(&self) {
            while self.0.try_recv(&mut [0; 64]).is_ok() {}
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[tokio::test]
        async fn the_kernel_can_be_listened_to_and_says_nothing_while_nothing_changes() {
            let kernel = Kernel::listen().unwrap();
            kernel.forget();
            let told = tokio::time::timeout(std::time::Duration::from_millis(50), kernel.stirred()).await;
            assert!(told.is_err() || told.unwrap().is_ok(), "it can be read");
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod other {
    /// Nothing that tells.
    pub(super) enum Kernel {}

    impl Kernel {
        pub(super) fn listen() -> std::io::Result<Kernel> {
            Err(std::io::ErrorKind::Unsupported.into())
        }

        pub(super) async fn stirred(&self) -> std::io::Result<()> {
            match *self {}
        }

        pub(super) fn forget(&self) {
            match *self {}
        }
    }
}
