//! The items of an array, of which a customer has few and may have many.

/// Items that are held in place.
const FEW: usize = 8;

/// With more of them a document may hold more values than it is allowed: the long way counts.
const ITEMS_MAX: usize = 20_000;

/// So many are compared one with another.
const COMPARED_MAX: usize = 16;

#[derive(Default)]
pub(super) struct List<T> {
    few: [T; FEW],
    /// How many of the few there are.
    length: usize,
    /// All items, once they are no longer few.
    many: Vec<T>,
}

impl<T: Copy + Ord> List<T> {
    #[inline]
    pub(super) fn push(&mut self, item: T) -> Option<()> {
        match self.few.get_mut(self.length) {
            Some(place) => {
                *place = item;
                self.length += 1;
                Some(())
            }
            None => self.push_further(item),
        }
    }

    #[cold]
    fn push_further(&mut self, item: T) -> Option<()> {
        if self.many.is_empty() {
            self.many.extend(self.few);
        }
        self.many.push(item);
        (self.many.len() <= ITEMS_MAX).then_some(())
    }

    #[inline]
    pub(super) fn items(&self) -> &[T] {
        if self.many.is_empty() { &self.few[..self.length] } else { &self.many }
    }

    pub(super) fn is_unique(&self) -> bool {
        let items = self.items();
        if items.len() <= COMPARED_MAX {
            return (1..items.len()).all(|at| !items[..at].contains(&items[at]));
        }
        let mut sorted = items.to_vec();
        sorted.sort_unstable();
        sorted.windows(2).all(|pair| pair[0] != pair[1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_of_items_is_kept_in_order() {
        for count in [0, 1, FEW, FEW + 1, COMPARED_MAX, COMPARED_MAX + 1, ITEMS_MAX] {
            let mut list = List::default();
            (0..count).for_each(|item| list.push(item).unwrap());
            assert!(list.items().iter().copied().eq(0..count) && list.is_unique());
            if count > 0 && count < ITEMS_MAX {
                list.push(count / 2).unwrap();
                assert!(!list.is_unique(), "{count}");
            }
        }
        let mut list = List::default();
        assert!((0..=ITEMS_MAX).any(|item| list.push(item).is_none()));
    }
}
