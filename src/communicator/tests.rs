use super::{Communicator, Ranks, Threads, Tree};
use crate::error::{Error, Result};
use proptest::prelude::*;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(20);

/// What each of `size` ranks finds.
fn together<T: Send>(
    size: usize,
    limit: Duration,
    work: impl Fn(Ranks) -> Result<T> + Sync,
) -> Vec<Result<T>> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = Threads::new(size)
            .into_iter()
            .map(|link| {
                let (ranks, work) = (Ranks::new(link, limit), &work);
                scope.spawn(move || {
                    let found = work(ranks.clone());
                    if let Err(why) = &found {
                        ranks.leave(why);
                    }
                    found
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    })
}

fn all<T>(found: Vec<Result<T>>) -> Vec<T> {
    found.into_iter().map(|one| one.expect("no rank is gone")).collect()
}

#[test]
fn what_is_gathered_and_broadcast_is_the_same_everywhere() {
    for size in 1..=9 {
        let found = all(together(size, LIMIT, |ranks| {
            let own = vec![ranks.rank() as u8; ranks.rank()];
            let gathered = ranks.gather(own)?;
            let first = ranks.broadcast(ranks.is_first().then(|| b"from 0".to_vec()))?;
            ranks.barrier()?;
            let any = [ranks.any(ranks.rank() + 1 == ranks.size())?, ranks.any(false)?];
            Ok((gathered, first, any))
        }));
        for (gathered, first, any) in found {
            assert_eq!(gathered, (0..size).map(|rank| vec![rank as u8; rank]).collect::<Vec<_>>());
            assert_eq!((&first[..], any), (&b"from 0"[..], [true, false]));
        }
    }
}

proptest! {
    /// Terms of which a sum in another order has other bits.
    #[test]
    fn no_number_of_ranks_changes_a_bit_of_a_sum(
        leaves in prop::collection::vec(prop::collection::vec(-1.0f32..1.0, 5), 1..=24),
        size in 1usize..=6,
        height in 0u32..=2,
    ) {
        let each = 1 << height;
        let count = size * each;
        let leaves: Vec<Vec<f32>> = leaves.into_iter().cycle().enumerate().take(count)
            .map(|(i, leaf)| leaf.iter().map(|x| x * (1.0 + i as f32).exp2()).collect()).collect();
        let add = |mut a: Vec<f32>, b: Vec<f32>| { a.iter_mut().zip(b).for_each(|(a, b)| *a += b); a };
        let mut whole = Tree::new(add);
        leaves.iter().for_each(|leaf| whole.push(leaf.clone()));
        let whole = whole.sum().expect("a leaf");
        let found = all(together(size, LIMIT, |ranks| {
            let mut tree = Tree::new(add);
            leaves[ranks.rank() * each..][..each].iter().for_each(|leaf| tree.push(leaf.clone()));
            let mut sum = tree.sum().expect("a leaf");
            ranks.sum(&mut sum)?;
            Ok(sum)
        }));
        prop_assert!(found.iter().all(|own| *own == whole));
    }
}

#[test]
fn a_rank_that_is_silent_is_named_by_all() {
    let found = together(4, Duration::from_secs(1), |ranks| {
        ranks.set_step(17);
        if ranks.rank() == 2 {
            return Ok(());
        }
        ranks.barrier()
    });
    for (rank, found) in found.into_iter().enumerate().filter(|(rank, _)| *rank != 2) {
        match found {
            Err(Error::Rank { rank: 2, step: 17, found }) => {
                assert!(found.starts_with("nothing was heard of it for"), "{found}");
            }
            other => panic!("rank {rank}: {other:?}"),
        }
    }
}

#[test]
fn the_error_of_a_rank_is_the_line_of_all() {
    let found = together(3, LIMIT, |ranks| {
        ranks.set_step(5);
        match ranks.rank() {
            1 => Err(Error::value("disk", "full", "space")),
            _ => ranks.barrier(),
        }
    });
    for rank in [0, 2] {
        let line = found[rank].as_ref().unwrap_err().to_string();
        assert_eq!(line, "rank 1, step 5: disk = full: expected space");
    }
}

#[test]
fn what_differs_is_named_with_its_rank() {
    let found = together(3, LIMIT, |ranks| {
        let data = if ranks.rank() == 2 { "b" } else { "a" };
        ranks.agree(&[("version", "1".to_owned()), ("training data", format!("common\n{data}"))])
    });
    for found in found {
        let line = found.unwrap_err().to_string();
        assert_eq!(line, "rank 2, step 0: training data: found b, expected a, as rank 0 has");
    }
    let alike = together(3, LIMIT, |ranks| ranks.agree(&[("version", "1".to_owned())]));
    assert!(alike.iter().all(Result::is_ok));
}

/// A rank that works for many limits, and says that it lives, holds the others and ends none.
#[test]
fn uneven_work_ends_nobody() {
    let limit = Duration::from_millis(600);
    let found = together(3, limit, |ranks| {
        for _ in 0..ranks.rank() * 20 {
            std::thread::sleep(limit / 10);
            ranks.alive()?;
        }
        ranks.barrier()
    });
    all(found);
}

#[test]
fn threads_keep_the_order_of_messages() {
    let mut links = Threads::new(2);
    let (second, first) = (links.pop().expect("two"), links.pop().expect("two"));
    assert_eq!((first.rank(), second.rank(), first.size()), (0, 1, 2));
    (0..10u8).for_each(|i| first.send(1, vec![i]).expect("sent"));
    for i in 0..10 {
        assert_eq!(second.receive().expect("received"), Some((0, vec![i])));
    }
    assert_eq!(second.receive().expect("received"), None);
}

/// Who left and why is known to whatever is done later too.
#[test]
fn what_a_rank_left_for_is_not_forgotten() {
    let found = together(2, LIMIT, |ranks| {
        if ranks.is_first() {
            return Err(Error::value("disk", "full", "space"));
        }
        while ranks.alive().is_ok() {
            std::thread::sleep(Duration::from_millis(1));
        }
        ranks.barrier()
    });
    assert_eq!(found[1].as_ref().unwrap_err().to_string(), "rank 0, step 0: disk = full: expected space");
}

/// A rank that works on its own notices that another is gone.
#[test]
fn long_work_notices_a_silent_rank() {
    let found = together(2, Duration::from_secs(1), |ranks| {
        while !ranks.is_first() {
            std::thread::sleep(Duration::from_millis(10));
            ranks.alive()?;
        }
        Ok(())
    });
    let line = found[1].as_ref().unwrap_err().to_string();
    assert!(line.starts_with("rank 0, step 0: nothing was heard of it"), "{line}");
}

#[test]
fn ranks_that_do_different_things_are_ended() {
    let found = together(2, LIMIT, |ranks| match ranks.rank() {
        0 => ranks.broadcast(Some(vec![1])).map(drop),
        _ => ranks.gather(vec![1]).map(drop),
    });
    assert!(found[1].is_err());
}
