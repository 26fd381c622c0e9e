// A U-Net for 8 x 8 pixels on images of 32 x 32.
use dfdx::prelude::{Const, Cpu, Tensor};
use idode::nn::{Network, Pass, StaticUNet};
use idode::tensor::ImageBatch;

type Digits = StaticUNet<8, 8, 1, 32, f32, Cpu>;
type Images = Tensor<ImageBatch<Const<32>, Const<32>, Const<1>>, f32, Cpu>;

fn main() {
    let apply = |network: &Digits, images: Images| network.forward(images, &mut Pass::eval(&[0.5]));
}
