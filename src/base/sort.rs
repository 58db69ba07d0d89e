//! Sorting in few bytes: each use of the standard library's sort adds several kilobytes to the download.

/// Sorts a short slice; equal items keep their order. One small loop, and nothing is allocated.
pub fn sort_short<T>(items: &mut [T], is_less: impl Fn(&T, &T) -> bool) {
    for end in 1..items.len() {
        let mut at = end;
        while at > 0 && is_less(&items[at], &items[at - 1]) {
            items.swap(at, at - 1);
            at -= 1;
        }
    }
}

/// Sorts a slice of any length; equal items keep their order.
pub fn sort_long<T>(items: &mut [T], is_less: impl Fn(&T, &T) -> bool) {
    let mut order: Vec<usize> = (0..items.len()).collect();
    merge_sort(&mut order, &mut Vec::with_capacity(items.len()), &|a, b| is_less(&items[a], &items[b]));
    let mut place = vec![0; items.len()];
    order.iter().enumerate().for_each(|(to, from)| place[*from] = to);
    for at in 0..items.len() {
        while place[at] != at {
            let to = place[at];
            items.swap(at, to);
            place.swap(at, to);
        }
    }
}

/// The part that does not depend on what is sorted: it is compiled once.
fn merge_sort(order: &mut [usize], merged: &mut Vec<usize>, is_less: &dyn Fn(usize, usize) -> bool) {
    if order.len() < 2 {
        return;
    }
    let middle = order.len() / 2;
    merge_sort(&mut order[..middle], merged, is_less);
    merge_sort(&mut order[middle..], merged, is_less);
    let (mut left, mut right) = (0, middle);
    merged.clear();
    while left < middle && right < order.len() {
        let from = if is_less(order[right], order[left]) { &mut right } else { &mut left };
        merged.push(order[*from]);
        *from += 1;
    }
    merged.extend_from_slice(&order[left..middle]); // what is left of the right half stands where it belongs
    order[..merged.len()].copy_from_slice(merged);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_items_keep_their_order() {
        let mut items = [(3, 'a'), (1, 'b'), (3, 'c'), (2, 'd'), (1, 'e')];
        sort_short(&mut items, |a, b| a.0 < b.0);
        assert_eq!(items, [(1, 'b'), (1, 'e'), (2, 'd'), (3, 'a'), (3, 'c')]);
    }

    #[test]
    fn long_ones_are_sorted_as_the_standard_library_does_it() {
        for length in 0..200_u32 {
            let mut items: Vec<(u32, u32)> = (0..length).map(|at| (at * 7919 % 31, at)).collect();
            let mut expected = items.clone();
            expected.sort_by_key(|it| it.0);
            sort_long(&mut items, |a, b| a.0 < b.0);
            assert_eq!(items, expected);
        }
    }
}
