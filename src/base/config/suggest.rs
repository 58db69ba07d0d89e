//! "Did you mean …": the known word nearest to an unknown one.

/// The word of `known` nearest to `word`, unless all are further than a third of its length. Failing that, the shortest
/// that contains it, so that `idempotence` finds `enable.idempotence`. Ties go to the first.
pub fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).max(1);
    let mut near: Option<(usize, &str)> = None;
    let mut containing: Option<&str> = None;
    for candidate in known {
        let distance = distance(word, candidate);
        if distance <= limit && near.is_none_or(|(best, _)| distance < best) {
            near = Some((distance, candidate));
        }
        if word.len() >= 5 && candidate.contains(word) && containing.is_none_or(|best| candidate.len() < best.len()) {
            containing = Some(candidate);
        }
    }
    near.map(|(_, candidate)| candidate).or(containing)
}

/// How many insertions, deletions, replacements and swaps of neighbours turn one word into the other; case is ignored.
fn distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.chars().map(|c| c.to_ascii_lowercase()).collect();
    let right: Vec<char> = right.chars().map(|c| c.to_ascii_lowercase()).collect();
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in right.iter().enumerate() {
            let mut cost = (above[j] + usize::from(a != b)).min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == right[j - 1] && left[i - 1] == *b {
                cost = cost.min(before[j - 1] + 1);
            }
            row.push(cost);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(word: &str, expected: Option<&str>) {
        let known = ["acks", "linger.ms", "enable.idempotence", "retries", "retry.backoff.ms", "batch.size"];
        assert_eq!(nearest(word, known.into_iter()), expected, "{word}");
    }

    #[test]
    fn slips_of_the_finger_are_understood() {
        check("ack", Some("acks"));
        check("ACKS", Some("acks"));
        check("lingre.ms", Some("linger.ms"));
        check("enable_idempotence", Some("enable.idempotence"));
        check("retrys", Some("retries"));
    }

    #[test]
    fn a_part_of_a_name_is_enough() {
        check("idempotence", Some("enable.idempotence"));
        check("backoff", Some("retry.backoff.ms"));
    }

    #[test]
    fn nothing_near_means_nothing() {
        check("", None);
        check("compression.codec", None);
        check("xyz", None);
    }

    #[test]
    fn distances() {
        for (left, right, expected) in [("", "abc", 3), ("abc", "abc", 0), ("acb", "abc", 1), ("kitten", "sitting", 3)]
        {
            assert_eq!(distance(left, right), expected, "{left} {right}");
            assert_eq!(distance(right, left), expected, "{right} {left}");
        }
    }
}
