//! Networks whose addresses workloads may register.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use thiserror::Error;

/// A network, as in `10.1.0.0/16`.
///
/// Invariant: the prefix is not longer than the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// Where clouds tell a machine its secrets, beside addresses of the link.
const METADATA: [IpAddr; 4] = [
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
];

/// Text that is no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("is no network, as in `10.1.0.0/16`")]
pub struct InvalidNetwork;

impl Network {
    /// Reads `address/prefix`, or one address.
    ///
    /// # Errors
    /// [`InvalidNetwork`].
    pub fn parse(text: &str) -> Result<Self, InvalidNetwork> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| InvalidNetwork)?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(prefix) => prefix.parse().ok().filter(|prefix| *prefix <= most).ok_or(InvalidNetwork)?,
            None => most,
        };
        Ok(Self { address, prefix })
    }

    /// Whether it is made of addresses of the machine itself, or of the link, or is a cloud's service of metadata.
    fn is_special(&self) -> bool {
        let (narrowest, whole) = if self.address.is_ipv4() { (8, 32) } else { (10, 128) };
        self.prefix >= narrowest && is_here(self.address) || self.prefix == whole && METADATA.contains(&self.address)
    }

    /// Whether an address is in it.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let (own, other, width) = match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => (u32::from(own).into(), u32::from(other).into(), 32),
            (IpAddr::V6(own), IpAddr::V6(other)) => (u128::from(own), u128::from(other), 128),
            _ => return false,
        };
        let shift = width - u32::from(self.prefix);
        // A shift by all bits leaves nothing to compare.
        own.checked_shr(shift).unwrap_or(0) == other.checked_shr(shift).unwrap_or(0)
    }
}

/// Whether a workload may register an address: one of the networks has it. An address of the machine itself, or of
/// the link, counts only where a network is made of such addresses: `0.0.0.0/0` does not let a job name the
/// sidecar's own listeners, or a cloud's service of metadata.
#[must_use]
pub fn is_permitted(networks: &[Network], address: IpAddr) -> bool {
    let address = plain(address);
    if address.is_unspecified() || address.is_multicast() {
        return false;
    }
    let special = is_special(address);
    networks.iter().any(|network| network.contains(address) && (!special || network.is_special()))
}

/// An address, without IPv6 around one of IPv4.
#[must_use]
pub fn plain(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}

/// Whether an address leads to the machine itself, to the link or to a cloud's metadata, through a gateway between
/// the families too.
fn is_special(address: IpAddr) -> bool {
    let carried = match address {
        IpAddr::V6(v6) => carried(v6),
        IpAddr::V4(_) => Vec::new(),
    };
    let mut all = std::iter::once(address).chain(carried.into_iter().map(IpAddr::V4));
    all.any(|address| is_here(address) || METADATA.contains(&address))
}

/// The IPv4 addresses that gateways may take an IPv6 address for: of 6to4, and of NAT64 with its well-known prefix, or
/// with its local one, of whose longer prefixes any may be in use.
fn carried(v6: Ipv6Addr) -> Vec<Ipv4Addr> {
    let bytes = v6.octets();
    let at = |places: [usize; 4]| Ipv4Addr::from(places.map(|place| bytes.get(place).copied().unwrap_or_default()));
    match v6.segments() {
        [0x2002, ..] => vec![at([2, 3, 4, 5])],
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => vec![at([12, 13, 14, 15])],
        [0x64, 0xff9b, 1, ..] => {
            let places = [[6, 7, 9, 10], [7, 9, 10, 11], [9, 10, 11, 12], [12, 13, 14, 15]];
            // Zeros are of the prefix, or behind the address.
            places.into_iter().map(at).filter(|v4| v4.octets().first() != Some(&0)).collect()
        }
        _ => Vec::new(),
    }
}

/// Whether an address is the machine's own, or of the link.
fn is_here(address: IpAddr) -> bool {
    let is_link_local_v6 = |v6: Ipv6Addr| v6.segments().first().is_some_and(|first| first & 0xffc0 == 0xfe80);
    address.is_loopback()
        || match address {
            IpAddr::V4(v4) => v4.is_link_local() || v4.is_broadcast() || v4.octets().first() == Some(&0),
            IpAddr::V6(v6) => is_link_local_v6(v6),
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permitted(networks: &[&str], address: &str) -> bool {
        let networks: Vec<Network> = networks.iter().map(|text| Network::parse(text).expect(text)).collect();
        is_permitted(&networks, address.parse().expect(address))
    }

    #[test]
    fn networks_have_the_addresses_of_their_prefix() {
        assert!(permitted(&["10.1.0.0/16"], "10.1.255.255") && !permitted(&["10.1.0.0/16"], "10.2.0.0"));
        assert!(permitted(&["fd00::/8"], "fd12::1") && !permitted(&["fd00::/8"], "fe00::1"));
        assert!(permitted(&["10.1.2.3"], "10.1.2.3") && !permitted(&["10.1.2.3"], "10.1.2.4"));
        assert!(permitted(&["0.0.0.0/0"], "192.0.2.1") && !permitted(&["0.0.0.0/0"], "fd12::1"));
        assert!(permitted(&["10.1.0.0/16"], "::ffff:10.1.2.3"));
        assert!(!permitted(&[], "10.1.2.3"));
        for text in ["", "10.0.0.0/33", "10.0.0/8", "a/8", "10.0.0.0/", "fd00::/129", "10.0.0.0/-1"] {
            assert_eq!(Network::parse(text), Err(InvalidNetwork), "{text}");
        }
    }

    #[test]
    fn the_machine_itself_is_never_meant_by_chance() {
        for address in
            ["127.0.0.1", "169.254.169.254", "0.0.0.0", "0.1.2.3", "255.255.255.255", "224.0.0.1", "::ffff:127.0.0.1"]
        {
            assert!(!permitted(&["0.0.0.0/0", "::/0"], address), "{address}");
        }
        for address in ["::1", "fe80::1", "::"] {
            assert!(!permitted(&["::/1"], address), "{address}");
        }
        assert!(permitted(&["127.0.0.0/8"], "127.0.0.1"));
    }

    #[test]
    fn nor_is_it_through_a_gateway_nor_is_a_cloud_s_metadata() {
        for address in [
            "64:ff9b::7f00:1",
            "64:ff9b::169.254.169.254",
            "64:ff9b::100.100.100.200",
            "64:ff9b:1::127.0.0.1",
            "64:ff9b:1:a9fe:a9:fe00::",
            "64:ff9b:1:7f:0:100::",
            "64:ff9b:1:0:7f:0:100:0",
            "2002:7f00:1::1",
            "2002:a9fe:a9fe::",
            "100.100.100.200",
            "168.63.129.16",
            "fd00:ec2::254",
            "fd20:ce::254",
        ] {
            assert!(!permitted(&["0.0.0.0/0", "::/0", "fd00::/8", "100.64.0.0/10"], address), "{address}");
        }
        for address in ["64:ff9b::192.0.2.1", "64:ff9b:1::192.0.2.1", "64:ff9b:1:c000:2:100::", "2002:c000:201::1"] {
            assert!(permitted(&["::/0"], address), "{address}");
        }
        assert!(permitted(&["100.100.100.200/32"], "100.100.100.200"));
        assert!(!permitted(&["100.100.100.200/8"], "100.100.100.200"));
    }
}
