//! dbg
use dfdx::prelude::Cpu;
use idode::data::*;
use idode::diffusion::Diffusion;
use idode::level::GammaRange;
use idode::nn::*;
use idode::objective::*;
use idode::parameterization::*;
use idode::pixels::PixelGrid;
use idode::schedule::*;
use idode::time::*;
use idode::train::*;
use rand::SeedableRng;
fn main() {
    let train = digits::load(Split::Train).unwrap();
    let dev = Cpu::default();
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
    let config = UNetConfig { blocks: 2, dropout: 0.0, ..Default::default() };
    let net = UNet::<8, 8, 1, 32, f32, Cpu>::new(&config, &dev, &mut rng).unwrap();
    println!("{} parameters", count(&net));
    let diffusion = Diffusion::new(VariancePreserving, Velocity, GammaRange::for_levels(17));
    let times = Stratified(Importance::for_weight(diffusion.range(), diffusion.weight_density()).unwrap());
    let steps: u64 = std::env::args().nth(1).map_or(40, |s| s.parse().unwrap());
    let settings = TrainerSettings {
        seed: 0,
        accumulation: 1,
        rate: Rate { peak: 2e-3, warmup: 20, decay: RateDecay::Cosine { final_rate: 0.0 }, steps },
        optimizer: AdamWSettings {
            beta1: 0.9,
            beta2: 0.99,
            epsilon: 1e-8,
            weight_decay: 0.01,
            ema: 0.99,
            clip: Some(1.0),
        },
    };
    let mut trainer = Trainer::new(net, FirstOrder, diffusion, times, settings);
    let mut order = Shuffle::new(1500, 0).unwrap();
    let start = std::time::Instant::now();
    for k in 1..=steps {
        let x = PixelGrid::new(17).unwrap().centres(&train.batch(&order.next_batch(128)).unwrap());
        let r = trainer.step(k, k, &x).unwrap();
        if k % 20 == 0 {
            println!(
                "{k} {:.4} norm {:.3} {:.4} s/step",
                r.loss / 64.0 / 2f64.ln(),
                r.gradient_norm,
                start.elapsed().as_secs_f64() / k as f64
            );
        }
    }
}
