//! The partitions of AWS: which regions are in each, and what the names of its hosts end in.

/// A partition as AWS publishes it.
pub struct Partition {
    /// As ARNs name it.
    pub name: &'static str,
    /// How its regions begin; empty for the one that has all the others.
    pub regions: &'static str,
    /// What the names of its hosts end in.
    pub suffix: &'static str,
}

/// All of them (AWS: `partitions.json`, which every AWS SDK carries; its `id`, `regionRegex` and `dnsSuffix`).
pub const PARTITIONS: [Partition; 8] = [
    Partition { name: "aws-cn", regions: "cn-", suffix: "amazonaws.com.cn" },
    Partition { name: "aws-eusc", regions: "eusc-", suffix: "amazonaws.eu" },
    Partition { name: "aws-iso", regions: "us-iso-", suffix: "c2s.ic.gov" },
    Partition { name: "aws-iso-b", regions: "us-isob-", suffix: "sc2s.sgov.gov" },
    Partition { name: "aws-iso-e", regions: "eu-isoe-", suffix: "cloud.adc-e.uk" },
    Partition { name: "aws-iso-f", regions: "us-isof-", suffix: "csp.hci.ic.gov" },
    Partition { name: "aws-us-gov", regions: "us-gov-", suffix: "amazonaws.com" },
    Partition { name: "aws", regions: "", suffix: "amazonaws.com" },
];

/// The name of the partition that a region is in.
pub fn of_region(region: &str) -> &'static str {
    PARTITIONS.iter().find(|partition| region.starts_with(partition.regions)).map_or("aws", |partition| partition.name)
}

/// What stands before a partition's suffix in the name of a host, in lower case.
pub fn without_suffix(host: &str) -> Option<&str> {
    PARTITIONS.iter().find_map(|partition| host.strip_suffix(partition.suffix)?.strip_suffix('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_in_one_partition() {
        for (region, name) in [
            ("eu-west-1", "aws"),
            ("us-east-1", "aws"),
            ("cn-north-1", "aws-cn"),
            ("us-gov-west-1", "aws-us-gov"),
            ("us-iso-east-1", "aws-iso"),
            ("us-isob-east-1", "aws-iso-b"),
            ("eu-isoe-west-1", "aws-iso-e"),
            ("us-isof-south-1", "aws-iso-f"),
            ("eusc-de-east-1", "aws-eusc"),
        ] {
            assert_eq!(of_region(region), name, "{region}");
        }
        assert_eq!(without_suffix("a.amazonaws.com.cn"), Some("a"));
        assert_eq!(without_suffix("a.notamazonaws.com"), None);
    }
}
