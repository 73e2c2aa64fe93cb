//! A stable sort that is compiled once. The standard library's is made anew
//! for each type of item, and takes 5 KB each time.

use std::cmp::Ordering;

/// Sorts by a comparison; what is equal stays in its order.
pub fn sort_by<T>(items: &mut Vec<T>, compare: impl Fn(&T, &T) -> Ordering) {
    let order = {
        let goes_first = |one: usize, other: usize| match (items.get(one), items.get(other)) {
            (Some(one), Some(other)) => compare(one, other).is_lt(),
            _ => false,
        };
        order(items.len(), &goes_first)
    };
    let Some(order) = order else {
        return;
    };
    let mut taken: Vec<Option<T>> = items.drain(..).map(Some).collect();
    for at in order {
        items.extend(taken.get_mut(at).and_then(Option::take));
    }
}

/// Sorts texts, and keeps one of each.
pub fn sort_texts(texts: &mut Vec<String>) {
    sort_by(texts, String::cmp);
    texts.dedup();
}

/// The positions of items in sorted order; `None` if they are sorted already.
fn order(length: usize, goes_first: &dyn Fn(usize, usize) -> bool) -> Option<Vec<usize>> {
    if (1..length).all(|at| !goes_first(at, at.saturating_sub(1))) {
        return None;
    }
    let mut order: Vec<usize> = (0..length).collect();
    let mut width = 1_usize;
    while width < length {
        let mut merged = Vec::with_capacity(length);
        for pair in order.chunks(width.saturating_mul(2)) {
            let (mut one, mut other) = pair.split_at(width.min(pair.len()));
            while let ([first, ones @ ..], [second, others @ ..]) = (one, other) {
                if goes_first(*second, *first) {
                    merged.push(*second);
                    other = others;
                } else {
                    merged.push(*first);
                    one = ones;
                }
            }
            merged.extend_from_slice(one);
            merged.extend_from_slice(other);
        }
        order = merged;
        width = width.saturating_mul(2);
    }
    Some(order)
}
