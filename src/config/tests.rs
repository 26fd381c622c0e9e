use super::*;
use proptest::prelude::*;

const SMALL: &str = "data.name = 'digits'\nnetwork.name = 'unet'\n";

fn parse(text: &str) -> Result<Recipe, String> {
    Recipe::parse("r.toml", text).map_err(|error| error.to_string())
}

#[test]
fn defaults_are_those_of_rust() {
    let recipe = parse(SMALL).unwrap();
    assert_eq!(recipe, Recipe::new(Data::Digits(Digits::default()), Named::new("unet")));
}

#[test]
fn a_device_is_cpu_or_cuda_with_an_ordinal() {
    let device = |name: &str| parse(&format!("device = {name}\n{SMALL}")).map(|recipe| recipe.device);
    assert_eq!(device("'cpu'"), Ok(Device::Cpu));
    assert_eq!(device("'cuda:1'"), Ok(Device::Cuda(1)));
    let error = device("'gpu'").unwrap_err();
    assert_eq!(error, "r.toml: line 1, device: found string \"gpu\", expected \"cpu\" or \"cuda:N\"");
    assert!(device("0").is_err());
    let recipe = parse(SMALL).unwrap();
    assert_eq!(recipe.clone().on(None), recipe);
    assert_eq!(recipe.on(Some(Device::Cuda(0))).device, Device::Cuda(0));
}

#[test]
fn resolved_recipe_comes_back_equal() {
    let text = "
        seed = 7
        device = 'cuda:3'
        data = 'two_pixel'
        schedule = { name = 'vp' }
        time = { name = 'stratified', inner = { name = 'log_normal', mean = 0.1, deviation = 2 } }
        network = { name = 'mlp', width = 64 }
        [[stage]]
        steps = 3
        decay = { name = 'cosine', final_rate = 0.1 }
        clip = 1.0
        [[stage]]
        decay = 'constant'
        clip = 2
        on_non_finite = 'skip'
        [[stage]]
        clip = { quantile = 0.9 }
        [evaluation]
        stepping = { name = 'fixed', steps = 7 }
        divergence = 'exact'
        images = 5
        dequantizers = [{ name = 'uniform', gamma = -11.8 }]
    ";
    let recipe = parse(text).unwrap().resolved().unwrap();
    let written = recipe.to_toml().unwrap();
    let again = parse(&written).unwrap();
    assert_eq!(again, recipe);
    assert_eq!(again.to_toml().unwrap(), written);
    assert_eq!(recipe.range.gamma_max, Some(5.0));
    assert_eq!(recipe.stage[0].decay, Decay::Cosine(Cosine { final_rate: 0.1 }));
    let quantile = Clip::Quantile(Quantile { quantile: 0.9, window: 1000 });
    let clips: Vec<_> = recipe.stage.iter().filter_map(|stage| stage.clip).collect();
    assert_eq!(clips, [Clip::Norm(1.0), Clip::Norm(2.0), quantile]);
    assert_eq!(recipe.stage[1].on_non_finite, OnNonFinite::Skip);
}

#[test]
fn every_divergence_has_its_name() {
    let cases = [
        ("'exact'", Divergence::Exact, "name = \"exact\"\n"),
        (
            "{ name = 'hutch++', products = 8 }",
            Divergence::HutchPlusPlus(HutchPlusPlus { products: 8 }),
            "name = \"hutch++\"\nproducts = 8\n",
        ),
        ("'blocks'", Divergence::Blocks(Blocks { stride: 2 }), "name = \"blocks\"\nstride = 2\n"),
    ];
    for (text, divergence, written) in cases {
        let recipe = parse(&format!("{SMALL}[evaluation]\ndivergence = {text}")).unwrap();
        assert_eq!(recipe.evaluation.divergence.as_ref(), Some(&divergence));
        assert_eq!(toml::to_string(&divergence).unwrap(), written);
    }
    let error = parse(&format!("{SMALL}[evaluation]\ndivergence = 'hutch'")).unwrap_err();
    assert!(error.contains("the unknown name \"hutch\", expected \"hutch++\" (the nearest of"), "{error}");
}

proptest! {
    #[test]
    fn numbers_come_back_bit_by_bit(seed in 0..i64::MAX as u64, rate in 1e-12f64..1.0, min in -20.0f64..4.0) {
        let mut recipe = Recipe::new(Data::Digits(Digits::default()), Mlp::default());
        recipe.seed = seed;
        recipe.stage[0].learning_rate = rate;
        recipe.range.gamma_min = Some(min);
        let recipe = recipe.resolved().unwrap();
        prop_assert_eq!(parse(&recipe.to_toml().unwrap()).unwrap(), recipe);
    }
}

#[test]
fn seed_beyond_toml_is_an_error() {
    let recipe = Recipe { seed: u64::MAX, ..Recipe::new(Data::Digits(Digits::default()), Mlp::default()) };
    assert!(recipe.to_toml().is_err());
}

#[test]
fn values_out_of_range_are_named() {
    let cases = [
        (
            "[range]\ngamma_min = 6",
            "line 4, range.gamma_min: found 6, expected a noise level below gamma_max = 5",
        ),
        (
            "[range]\ngamma_min = nan",
            "line 4, range.gamma_min: found NaN, expected a noise level from -100 to 100",
        ),
        (
            "[range]\ngamma_max = -9",
            "line 4, range.gamma_max: found -9, expected a noise level above gamma_min = -7.8760",
        ),
        ("stage = []", "line 3, stage: found no stage, expected at least one [[stage]]"),
        ("[[stage]]\nbatch = 0", "line 4, stage[0].batch: found 0, expected 1 to"),
        ("[[stage]]\nsteps = 0", "line 4, stage[0].steps: found 0"),
        ("[[stage]]\naccumulation = 0", "line 4, stage[0].accumulation: found 0"),
        (
            "[[stage]]\nlearning_rate = -1e-3",
            "line 4, stage[0].learning_rate: found -0.001, expected a finite number above 0",
        ),
        ("[[stage]]\nlearning_rate = inf", "line 4, stage[0].learning_rate: found inf"),
        (
            "[[stage]]\n[[stage]]\nsteps = 5\nwarmup = 6",
            "line 6, stage[1].warmup: found 6, expected at most the stage's 5 steps",
        ),
        (
            "[[stage]]\ndecay = { name = 'cosine', final_rate = 2 }",
            "line 4, stage[0].decay.final_rate: found 2",
        ),
        ("[[stage]]\nbeta1 = 1", "line 4, stage[0].beta1: found 1"),
        ("[[stage]]\nema = -0.1", "line 4, stage[0].ema: found -0.1"),
        ("[[stage]]\nclip = 0", "line 4, stage[0].clip: found 0"),
        (
            "[[stage]]\nclip.quantile = 1",
            "line 4, stage[0].clip.quantile: found 1, expected at least 0 and below 1",
        ),
        (
            "[[stage]]\nclip.quantile = 0.0",
            "line 4, stage[0].clip.quantile: found 0, expected a finite number above 0",
        ),
        ("[[stage]]\nclip = { window = 0 }", "line 4, stage[0].clip.window: found 0, expected 1 to "),
        (
            "[[stage]]\nclip.window = 100001",
            "line 4, stage[0].clip.window: found 100001, expected 1 to 100000",
        ),
        ("[log]\nkeep = 0", "line 4, log.keep: found 0"),
        ("[[stage]]\nweight_decay = -1", "line 4, stage[0].weight_decay: found -1"),
        ("[log]\nevery = 0", "line 4, log.every: found 0"),
        ("[evaluation]\nbatch = 0", "line 4, evaluation.batch: found 0"),
        ("[evaluation]\nimages = 0", "line 4, evaluation.images: found 0"),
        ("[evaluation]\nimportance_samples = 0", "line 4, evaluation.importance_samples: found 0"),
        (
            "[evaluation]\nstepping = { name = 'adaptive', absolute = 0 }",
            "line 4, evaluation.stepping.absolute: found 0",
        ),
        (
            "[evaluation]\nstepping = { name = 'fixed', steps = 0 }",
            "line 4, evaluation.stepping.steps: found 0",
        ),
        (
            "[evaluation]\ndivergence = { name = 'hutchinson', probes = 0 }",
            "line 4, evaluation.divergence.probes: found 0",
        ),
        (
            "[evaluation]\ndivergence = { name = 'hutch++', products = 1 }",
            "line 4, evaluation.divergence.products: found 1, expected 2 to 1000000000",
        ),
        (
            "[evaluation]\ndivergence = { name = 'blocks', stride = 0 }",
            "line 4, evaluation.divergence.stride: found 0",
        ),
        (
            "[evaluation]\ndequantizers = ['uniform', 'uniform']",
            "line 4, evaluation.dequantizers[1]: found \"uniform\" again",
        ),
        ("[sample]\ncount = 0", "line 4, sample.count: found 0"),
    ];
    for (text, message) in cases {
        let error = parse(&format!("{SMALL}{text}")).unwrap_err();
        assert!(error.starts_with(&format!("r.toml: {message}")), "{text}: {error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

#[test]
fn unusable_keys_are_named() {
    let cases = [
        ("seed = 'a'", "line 3, seed: found string \"a\", expected a whole number, 0 or more"),
        (
            "sede = 1",
            "line 3, sede: found an unknown key, expected \"seed\" (the nearest of seed, device, precision, data, ",
        ),
        (
            "[[stage]]\nlearning-rate = 1",
            "line 4, stage[0].learning-rate: found an unknown key, expected \"learning_rate\"",
        ),
        (
            "[[stage]]\nobjective = 'first'",
            "line 4, stage[0].objective: found the unknown name \"first\", expected \"first_order\"",
        ),
        (
            "[[stage]]\nclip = 'big'",
            "line 4, stage[0].clip: found string \"big\", expected a number, or a table with a quantile and a window",
        ),
        (
            "[[stage]]\nclip = { quantil = 0.5 }",
            "line 4, stage[0].clip.quantil: found an unknown key, expected \"quantile\"",
        ),
        (
            "[[stage]]\non_non_finite = 'skipp'",
            "line 4, stage[0].on_non_finite: found the unknown name \"skipp\", expected \"skip\"",
        ),
        (
            "[evaluation.divergence]\nname = 'exact'\nprobes = 3",
            "line 5, evaluation.divergence.probes: found an unknown key, expected no further key",
        ),
        ("[schedule]\nkind = 'vp'", "line 3, schedule.name: found nothing, expected this key"),
        ("[schedule]\nnam = 'vp'", "line 4, schedule.nam: found an unknown key, expected \"name\""),
        ("schedule = 3", "line 3, schedule: found integer 3, expected a name, or a table with a name"),
        ("seed = 1\nseed = 2", "line 4: found bad TOML ("),
    ];
    for (text, message) in cases {
        let error = parse(&format!("{SMALL}{text}")).unwrap_err();
        assert!(error.starts_with(&format!("r.toml: {message}")), "{text}: {error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
    let error = parse("network.name = 'unet'").unwrap_err();
    assert_eq!(error, "r.toml: data: found nothing, expected this key, which has no default");
    let error = parse("data.name = 'digit'\nnetwork.name = 'unet'").unwrap_err();
    assert_eq!(
        error,
        "r.toml: line 1, data.name: found the unknown name \"digit\", expected \"digits\" (the nearest of two_pixel, digits, cifar10, imagenet32, npy, npz, idx, folder, table)"
    );
}

#[test]
fn a_table_has_no_ladder() {
    let table = "[data]\nname = 'table'\npath = 't.csv'\n[network]\nname = 'mlp'\n[[stage]]\nsteps = 1\n";
    let line = parse(&format!("{table}[evaluation]\nladder = [1, 2]\n")).unwrap_err();
    let expected = "r.toml: line 9, evaluation.ladder: found bounds, expected none for a table: its bounds are of images";
    assert!(line.starts_with(expected), "{line}");
    assert!(parse(table).is_ok());
}
