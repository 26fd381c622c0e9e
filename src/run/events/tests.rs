use super::record::tests::read;
use super::*;
use crate::config::{Data, Digits, Mlp, Recipe};
use crate::progress::ValidationMetrics;

fn step(step: u64) -> StepMetrics {
    let validation = (step == 3).then_some(ValidationMetrics {
        vlb: 2.0,
        vlb_standard_error: 0.1,
        ode: None,
        best_step: 3,
    });
    StepMetrics {
        stage: 0,
        step,
        loss: f64::NAN,
        bits_per_dim: 2.5,
        learning_rate: 1e-3,
        gradient_norm: 0.5,
        seconds: 0.0,
        skipped: 0,
        validation,
        high_order: None,
    }
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|part| part == text.as_bytes())
}

#[test]
fn a_session_has_a_file_and_voids_what_it_trains_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut recipe = Recipe::new(Data::Digits(Digits::default()), Mlp::default()).resolved().unwrap();
    recipe.log.every = 2;
    let (run, _lock) = RunFolder::create(&folder.path().join("run"), &recipe).unwrap();
    for done in [0, 2] {
        let range = recipe.gamma_range().unwrap();
        let mut events = Events::of(&run, range);
        // Nothing is there before training is.
        assert!(done > 0 || !run.events().exists());
        events.start(&Phase { name: Phase::TRAINING, unit: "steps", done, total: 4 }).unwrap();
        for at in done + 1..=3 {
            let rows: Vec<(f64, f64)> = (0..400).map(|i| (range.at(f64::from(i) / 400.0).0, 0.5)).collect();
            events.losses(&RowLosses { stage: 0, step: at, rows: &rows }).unwrap();
            events.step(&step(at)).unwrap();
        }
        events.checkpoint(3).unwrap();
    }
    let mut names: Vec<_> =
        std::fs::read_dir(run.events()).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    assert_eq!(names.len(), 2);
    let [first, second] = [0, 1].map(|index: usize| read(&std::fs::read(&names[index]).unwrap()));
    // The version, the start, step 2, step 3 for its measurement, and the checkpoint's histogram.
    assert_eq!((first.len(), second.len()), (5, 4));
    for (records, step) in [(&first, 1), (&second, 3)] {
        assert!(contains(&records[0], "brain.Event:2"));
        assert_eq!(records[1][9..], [0x10, step, 0x3a, 2, 0x08, 1]);
        let last = &records[records.len() - 1];
        assert!(contains(last, "train/loss_over_gamma") && last[9..11] == [0x10, 3]);
        assert!(contains(&records[records.len() - 2], "validation/vlb"));
    }
    assert!(contains(&first[2], "train/bits_per_dim") && !contains(&first[2], "train/loss"));
    assert!(!contains(&first[2], "validation/"));
}
