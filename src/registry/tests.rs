use super::*;
use crate::config::{Data, Digits, Mlp, Named, Recipe, Unet};
use crate::data::RowShape;
use serde::Deserialize;

/// A schedule with a setting, and a wrapper around any other schedule.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Shifted {
    by: f64,
    inner: Option<Named>,
}

#[derive(Debug)]
struct ShiftedSchedule(f64, Arc<dyn NoiseSchedule>);

impl NoiseSchedule for ShiftedSchedule {
    fn level(&self, gamma: Gamma) -> Level {
        let level = self.1.level(gamma);
        Level::new(gamma, level.log_alpha() + self.0, level.dlog_alpha())
    }
}

fn registry() -> Registry {
    let mut registry = Registry::default();
    let entry = Entry { formula: "ln alpha + by", reference: "none" };
    registry.add_schedule("shifted", entry, |settings: Shifted, context| {
        if settings.by.abs() > 1.0 {
            return Err(Error::value("by", settings.by, "-1 to 1"));
        }
        let inner = settings.inner.unwrap_or_else(|| Named::new("vp"));
        Ok(ShiftedSchedule(settings.by, context.build("inner", &inner)?))
    });
    registry
}

fn built(text: &str) -> Result<Registry, String> {
    let text = format!("data.name = 'digits'\nnetwork.name = 'mlp'\n{text}");
    let registry = registry();
    let check = Recipe::parse("r.toml", &text).and_then(|recipe| registry.check(&recipe));
    check.map(|()| registry).map_err(|error| error.to_string())
}

/// What the network of a recipe for 8x8 grey images is, or why it cannot be.
fn network(text: &str) -> Result<NetworkPlan, String> {
    let recipe = Recipe::parse("r.toml", &format!("data = 'digits'\n{text}"));
    let shape = RowShape::Image(ImageShape::new(8, 8, 1));
    recipe.and_then(|recipe| registry().network(&recipe, shape)).map_err(|error| error.to_string())
}

const RECIPES: [&str; 2] =
    [include_str!("../../recipes/digits.toml"), include_str!("../../recipes/two_pixel.toml")];

#[test]
fn recipes_of_the_repository_build() {
    for text in RECIPES {
        let recipe = Recipe::parse("r.toml", text).unwrap();
        registry().check(&recipe).unwrap();
        plan(&recipe).unwrap();
    }
}

/// The network of a recipe whose data have a shape without being looked at.
fn plan(recipe: &Recipe) -> Result<Option<NetworkPlan>> {
    let shape = recipe.data.shape().map(RowShape::Image);
    shape.map(|shape| registry().network(recipe, shape)).transpose()
}

proptest::proptest! {
    /// Whatever a slip of the keyboard does to a recipe, the answer is a value or one line.
    #[test]
    fn corrupt_recipes_get_one_line(which in 0..2usize, at in 0.0..1.0f64, cut in 0..12usize, put in "[ -~\n]{0,6}") {
        let text = RECIPES[which];
        let start = (at * text.len() as f64) as usize;
        let corrupt = format!("{}{put}{}", &text[..start], &text[(start + cut).min(text.len())..]);
        let recipe = Recipe::parse("r.toml", &corrupt);
        let used = |recipe| registry().check(&recipe).and_then(|()| plan(&recipe));
        if let Err(error) = recipe.and_then(used) {
            let line = error.to_string();
            proptest::prop_assert!(line.starts_with("r.toml: ") && line.lines().count() == 1, "{line}");
        }
    }
}

#[test]
fn defaults_build() {
    built("").unwrap();
    registry().check(&Recipe::new(Data::TwoPixel, Mlp::default())).unwrap();
}

#[test]
fn every_built_in_builds_from_its_bare_name() {
    let registry = Registry::<FlowState>::default();
    let recipe = |key: &str, name: &str| {
        Recipe::parse("r.toml", &format!("data = 'digits'\nnetwork = 'mlp'\n{key} = '{name}'")).unwrap()
    };
    for name in registry.schedules.names() {
        registry.check(&recipe("schedule", name)).unwrap();
    }
    for name in registry.parameterizations.names() {
        registry.check(&recipe("parameterization", name)).unwrap();
    }
    for name in registry.time_samplers.names() {
        registry.check(&recipe("time", name)).unwrap();
    }
    for name in registry.solvers.names() {
        let text =
            format!("sample.stepping = {{ name = 'fixed' }}\nsample.solver = '{name}'\nevaluation.solver");
        registry.check(&recipe(&text, "dormand_prince")).unwrap();
    }
    for name in registry.dequantizers.names() {
        let mut recipe = Recipe::new(Data::Digits(Digits::default()), Mlp::default());
        recipe.evaluation.dequantizers = vec![Named::new(name)];
        registry.check(&recipe).unwrap();
    }
    for name in registry.networks.names() {
        network(&format!("network = '{name}'")).unwrap();
    }
}

/// What a recipe leaves out is what Rust leaves out.
#[test]
fn networks_have_the_defaults_of_rust() {
    for named in [Named::from(Unet::default()), Named::from(Mlp::default())] {
        let plan = network(&format!("network = '{}'", named.name)).unwrap();
        assert_eq!(plan.settings(), &named.settings);
    }
}

#[test]
fn every_module_s_names_are_there_with_formula_and_reference() {
    fn same<I, O>(builders: &Builders<I, O>, table: &[(&str, &str, &str)]) {
        let mut expected: Vec<_> = table.iter().map(|row| row.0).collect();
        expected.sort_unstable();
        assert_eq!(builders.names(), expected);
        assert!(
            builders.entries().all(|(_, entry)| !entry.formula.is_empty() && !entry.reference.is_empty())
        );
    }
    let registry = Registry::<FlowState>::default();
    same(&registry.schedules, crate::schedule::BUILT_IN);
    same(&registry.parameterizations, crate::parameterization::BUILT_IN);
    same(&registry.time_samplers, crate::time::BUILT_IN);
    same(&registry.dequantizers, crate::dequantization::BUILT_IN);
    let networks: Vec<_> = registry.networks.entries().collect();
    assert_eq!(registry.networks.names(), ["mlp", "unet"]);
    assert!(networks.iter().all(|(_, entry)| !entry.formula.is_empty() && !entry.reference.is_empty()));
}

#[test]
fn dequantizers_start_where_they_should() {
    let mut recipe = Recipe::new(Data::TwoPixel, Mlp::default());
    let registry = registry();
    let starts = |recipe: &Recipe| -> Vec<f64> {
        let diffusion = registry.diffusion(recipe).unwrap();
        let built = registry.dequantizers(recipe, &diffusion).unwrap();
        built.iter().map(|(_, dequantizer)| dequantizer.level().gamma().0).collect()
    };
    let least = recipe.gamma_range().unwrap().min().0;
    let found = starts(&recipe);
    assert_eq!((found[0], found[2]), (least, least));
    assert!((found[1] + 11.8).abs() < 1e-4, "{found:?}");
    recipe.range.gamma_min = Some(-11.0);
    assert_eq!(starts(&recipe), [-11.0, -11.0, -11.0]);
    recipe.evaluation.dequantizers = vec![Named::new("gaussian").with("gamma", -10.5)];
    assert_eq!(starts(&recipe), [-10.5]);
    recipe.evaluation.dequantizers = vec![Named::new("gaussian").with("gamma", -11.5)];
    let error = registry.check(&recipe).unwrap_err().to_string();
    let expected = "evaluation.dequantizers[0].gamma = -11.5: expected a level of the range [-11, 5]";
    assert_eq!(error, expected);
}

#[test]
fn stepping_is_the_solver_s() {
    let Ok(crate::solver::Stepping::Adaptive(adaptive)) =
        stepping(&Recipe::new(Data::Digits(Digits::default()), Mlp::default()).sample.stepping)
    else {
        panic!("adaptive by default")
    };
    assert_eq!(adaptive.tolerances, crate::solver::Tolerances::default());
    assert_eq!(adaptive.max_steps, crate::solver::Adaptive::default().max_steps);
}

#[test]
fn importance_follows_the_diffusion_s_weight() {
    let mut recipe = Recipe::new(Data::Digits(Digits::default()), Mlp::default());
    for (schedule, exact) in [
        ("vp", (|g| 1.0 / (1.0 + f64::exp(g))) as fn(f64) -> f64),
        ("sp", |g| (1.0 + f64::exp(0.5 * g)).powi(-2)),
    ] {
        recipe.schedule = Named::new(schedule);
        let sampler = registry().time_sampler(&recipe, &registry().diffusion(&recipe).unwrap()).unwrap();
        let ratio = |g: f64| sampler.pdf(Gamma(g)) / exact(g);
        for gamma in [-7.0, 0.0, 4.0] {
            assert!((ratio(gamma) / ratio(1.0) - 1.0).abs() < 1e-13, "{schedule} {gamma}");
        }
    }
}

#[test]
fn wrong_names_and_settings_are_named() {
    let cases = [
        (
            "schedule = 'vpp'",
            "line 3, schedule: found the unknown noise schedule \"vpp\", expected \"vp\" (the nearest of shifted, sp, sub_vp, ve, vp)",
        ),
        (
            "[parameterization]\nname = 'velocty'",
            "line 4, parameterization.name: found the unknown parameterization \"velocty\", expected \"velocity\" (the nearest of",
        ),
        (
            "[schedule]\nname = 'shifted'",
            "line 3, schedule.by: found nothing, expected this key, which has no default",
        ),
        (
            "[schedule]\nname = 'shifted'\nby = 'a'",
            "line 5, schedule.by: found string \"a\", expected a number",
        ),
        ("[schedule]\nname = 'shifted'\nby = 2", "line 5, schedule.by: found 2, expected -1 to 1"),
        (
            "[schedule]\nname = 'shifted'\nbz = 2",
            "line 5, schedule.bz: found an unknown key, expected \"by\" (the nearest of by, inner)",
        ),
        (
            "[schedule]\nname = 'shifted'\nby = 1\ninner = 'sq'",
            "line 6, schedule.inner: found the unknown noise schedule \"sq\", expected",
        ),
        (
            "[schedule]\nname = 'shifted'\nby = 1\ninner = { name = 'shifted', by = 3 }",
            "line 6, schedule.inner.by: found 3, expected -1 to 1",
        ),
        (
            "[schedule]\nname = 'shifted'\nby = 1\ninner = { name = 'vp', by = 3 }",
            "line 6, schedule.inner.by: found an unknown key, expected no further key",
        ),
        (
            "[schedule]\nname = 'vp'\nbeta = 2",
            "line 5, schedule.beta: found an unknown key, expected no further key",
        ),
        (
            "[evaluation]\nsolver = 'euler'",
            "line 4, evaluation.solver: found \"euler\", which has no error estimate, expected a solver with one, or stepping",
        ),
        (
            "[sample]\nsolver = 'dopri'",
            "line 4, sample.solver: found the unknown ODE solver \"dopri\", expected one of bogacki_shampine, dormand_prince, euler",
        ),
        (
            "[time]\nname = 'stratified'\ninner = 'importanse'",
            "line 5, time.inner: found the unknown time sampler \"importanse\", expected \"importance\"",
        ),
        (
            "[time]\nname = 'stratified'\ninner = { name = 'log_normal', std = -1 }",
            "line 5, time.inner.std: found -1, expected a positive number",
        ),
        ("[time]\nname = 'log_normal'\nstd = -1", "line 5, time.std: found -1, expected a positive number"),
        (
            "[evaluation]\ndequantizers = ['uniform', 'gausian']",
            "line 4, evaluation.dequantizers[1]: found the unknown dequantizer \"gausian\", expected \"gaussian\"",
        ),
    ];
    for (text, message) in cases {
        let error = built(text).unwrap_err();
        assert!(error.starts_with(&format!("r.toml: {message}")), "{text}: {error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

#[test]
fn what_a_network_does_not_take_is_named() {
    let cases = [
        (
            "network = 'resnet'",
            "line 2, network: found the unknown network \"resnet\", expected one of mlp, unet",
        ),
        (
            "[network]\nname = 'unet'\nwidht = 1",
            "line 4, network.widht: found an unknown key, expected \"width\" (the nearest of width, blocks, ",
        ),
        (
            "network = { name = 'unet', width = 'wide' }",
            "line 2, network.width: found string \"wide\", expected a whole number, 0 or more",
        ),
        (
            "network = { name = 'unet', attention = 'midle' }",
            "line 2, network.attention: found the unknown name \"midle\", expected \"middle\"",
        ),
        ("network = { name = 'unet', width = 0 }", "line 2, network.width: found 0, expected 1 to 65536"),
        (
            "network = { name = 'unet', width = 48 }",
            "line 2, network.width: found 48, expected a multiple of 32, the groups of group norm",
        ),
        ("network = { name = 'unet', blocks = 0 }", "line 2, network.blocks: found 0, expected 1 to 65536"),
        (
            "network = { name = 'unet', dropout = 1 }",
            "line 2, network.dropout: found 1, expected at least 0 and below 1",
        ),
        (
            "network = { name = 'unet', fourier = [6, 70] }",
            "line 2, network.fourier[1]: found 70, expected -4 to 16",
        ),
        ("network = { name = 'mlp', depth = 0 }", "line 2, network.depth: found 0, expected 1 to 65536"),
        ("network = { name = 'mlp', width = 0 }", "line 2, network.width: found 0, expected 1 to 65536"),
        (
            "network = { name = 'mlp', fourier = [-5] }",
            "line 2, network.fourier[0]: found -5, expected -4 to 16",
        ),
    ];
    for (text, message) in cases {
        let error = network(text).expect_err(text);
        assert!(error.starts_with(&format!("r.toml: {message}")), "{text}: {error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
    let recipe = Recipe::parse("r.toml", "data = 'digits'\n[network]\nname = 'unet'").unwrap();
    let error = registry().network(&recipe, RowShape::Vector(5)).unwrap_err().to_string();
    let expected = "r.toml: line 3, network.name: found \"unet\" for 5 numbers a row, expected a network for rows of numbers, such as \"mlp\"";
    assert_eq!(error, expected);
}

#[test]
fn composed_in_rust_errors_name_the_key() {
    let mut recipe = Recipe::new(Data::Digits(Digits::default()), Mlp::default());
    recipe.schedule =
        Named::new("shifted").with("by", 0.5).with("inner", Named::new("shifted").with("by", 2.0));
    let error = registry().check(&recipe).unwrap_err().to_string();
    assert_eq!(error, "schedule.inner.by = 2: expected -1 to 1");
}

#[test]
fn a_later_name_replaces_an_earlier_one() {
    let mut registry = registry();
    let entry = Entry { formula: "new", reference: "new" };
    registry.add_schedule("vp", entry, |_: NoSettings, _| Ok(crate::schedule::StraightPath));
    assert_eq!(registry.schedules.entries().filter(|(name, _)| *name == "vp").count(), 1);
    assert!(registry.schedules.entries().any(|(name, found)| name == "vp" && found == entry));
}
