//! Names of a partition's files: an offset of 20 digits, and a suffix.

use crate::base::Offset;

/// What a file named by an offset holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum FileKind {
    /// `.log`: record batches.
    Log,
    /// `.index`: where batches begin.
    OffsetIndex,
    /// `.timeindex`: largest timestamps.
    TimeIndex,
    /// `.txnindex`: aborted transactions.
    TxnIndex,
    /// `.snapshot`: the producers' state before that offset.
    Snapshot,
}

impl FileKind {
    /// All of them.
    pub const ALL: [FileKind; 5] =
        [FileKind::Log, FileKind::OffsetIndex, FileKind::TimeIndex, FileKind::TxnIndex, FileKind::Snapshot];

    /// How the name ends.
    pub const fn suffix(self) -> &'static str {
        match self {
            FileKind::Log => ".log",
            FileKind::OffsetIndex => ".index",
            FileKind::TimeIndex => ".timeindex",
            FileKind::TxnIndex => ".txnindex",
            FileKind::Snapshot => ".snapshot",
        }
    }
}

/// `00000000000000000042.log`
pub fn file_name(offset: Offset, kind: FileKind) -> String {
    format!("{offset:020}{}", kind.suffix())
}

/// Offset and kind, if the name ends like one of ours. The offset is None if it is not one.
pub fn parse_name(name: &str) -> Option<(Option<Offset>, FileKind)> {
    let kind = FileKind::ALL.into_iter().find(|kind| name.ends_with(kind.suffix()))?;
    let digits = &name[..name.len() - kind.suffix().len()];
    let is_offset = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    Some((if is_offset { digits.parse().ok() } else { None }, kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back() {
        for kind in FileKind::ALL {
            for offset in [0, 42, Offset::MAX] {
                assert_eq!(parse_name(&file_name(offset, kind)), Some((Some(offset), kind)));
            }
        }
        assert_eq!(file_name(42, FileKind::TimeIndex), "00000000000000000042.timeindex");
        assert_eq!(parse_name("42.log"), Some((None, FileKind::Log)));
        assert_eq!(parse_name("+0000000000000000042.log"), Some((None, FileKind::Log)));
        assert_eq!(parse_name("99999999999999999999.log"), Some((None, FileKind::Log)), "more than 64 bits");
        assert_eq!(parse_name("leader-epoch-checkpoint"), None);
    }
}
