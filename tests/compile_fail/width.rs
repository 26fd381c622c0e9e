// A U-Net whose width group norm cannot split into 32 groups.
use dfdx::prelude::Cpu;
use idode::nn::{StaticUNet, UNetConfig};
use rand::RngCore;

fn main() {
    let build = |rng: &mut dyn RngCore| {
        StaticUNet::<8, 8, 1, 48, f32, Cpu>::new(&UNetConfig::default(), &Cpu::default(), rng)
    };
}
