//! The reference's network, in `f64` through the portable operations.

use super::*;
use crate::tensor::Dual;
use dfdx::prelude::*;
use rand::SeedableRng;
use safetensors::SafeTensors;

fn read(bytes: &[u8], name: &str) -> Vec<f64> {
    let file = SafeTensors::deserialize(bytes).unwrap();
    let data = file.tensor(name).unwrap().data().to_vec();
    data.chunks(4).map(|c| f64::from(f32::from_le_bytes(c.try_into().unwrap()))).collect()
}

struct Load<'a>(&'a [u8]);
impl<E: crate::tensor::Real, D: crate::tensor::Kernels<E>> ParameterVisitor<E, D> for Load<'_> {
    fn parameter<S: Shape>(&mut self, name: &str, _: Role, tensor: &mut Tensor<S, E, D>) {
        let data: Vec<E> = read(self.0, name).into_iter().map(E::of).collect();
        tensor.copy_from(&data);
    }
}

fn run<E: crate::tensor::Real, const BLOCKS: usize>(case: &str, params: &str) -> (f64, f64)
where
    Cpu: crate::tensor::Kernels<E>,
{
    let root = "/work/shared/reference/";
    let case = std::fs::read(format!("{root}{case}.safetensors")).unwrap();
    let params = std::fs::read(format!("{root}{params}.safetensors")).unwrap();
    let dev = Cpu::default();
    let config = UNetConfig { blocks: BLOCKS, dropout: 0.0, ..UNetConfig::default() };
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
    let mut net = UNet::<8, 8, 3, 32, E, Cpu>::new(&config, &dev, &mut rng).unwrap();
    net.parameters("score_model", &mut Load(&params));
    let tensor = |name: &str| {
        let v: Vec<E> = read(&case, name).into_iter().map(E::of).collect();
        dev.tensor_from_vec(v, (3usize, Const::<8>, Const::<8>, Const::<3>))
    };
    let times: Vec<f64> = read(&case, "in/gamma").iter().map(|g| (g + 13.3) / 18.3).collect();
    let conditioning = read(&case, "in/conditioning");
    let mut pass = Pass::eval(&times).with_conditioning(Some(&conditioning));
    let out = net.jvp(Dual::new(tensor("in/z"), tensor("in/v")), &mut pass);
    let worst = |ours: Vec<E>, theirs: Vec<f64>| {
        let scale = theirs.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
        ours.iter().zip(&theirs).fold(0.0, |m: f64, (a, b)| m.max((a.to64() - b).abs())) / scale
    };
    (
        worst(out.value.as_vec(), read(&case, "out/network")),
        worst(out.tangent.as_vec(), read(&case, "out/network_jvp")),
    )
}

#[test]
fn reference_network() {
    println!("{:?}", run::<f64, 2>("network_vp", "params_79272b53"));
    println!("{:?}", run::<f32, 2>("network_vp", "params_79272b53"));
}
