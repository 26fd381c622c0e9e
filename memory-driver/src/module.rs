//! What a module holds: the names of its kernels and, where this library compiled it, the types of their parameters.

use crate::compiled::{self, Compiled};

/// A module's text. dfdx's modules are empty where no `nvcc` built them: any kernel is looked for by its name.
pub(crate) struct Module(String);

impl Module {
    pub(crate) fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// A kernel of idode's.
    pub(crate) fn compiled(&self, name: &str) -> Option<Compiled> {
        compiled::find(&self.0, name)
    }

    /// The types of the parameters of a kernel; `None` where the module has no such kernel.
    pub(crate) fn kernel(&self, name: &str) -> Option<Vec<String>> {
        if self.0.is_empty() {
            return Some(Vec::new());
        }
        let start = format!(".entry {name}(");
        let types = self.0.split(&start).nth(1)?.split(')').next()?;
        Some(types.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect())
    }
}

/// The text of the module that a CUDA source makes: a line for each kernel with the types that its parameters are, or point to.
pub(crate) fn compile(source: &str) -> Option<String> {
    let source: String =
        source.lines().flat_map(|line| [line.split("//").next().unwrap_or_default(), " "]).collect();
    let kernels = source.split("__global__ void ").skip(1);
    let lines = kernels.map(|kernel| {
        let (name, rest) = kernel.split_once('(')?;
        let parameters = rest.split_once(')')?.0.split(',');
        let types: Vec<String> = parameters.filter_map(element).collect();
        Some(format!(".entry {}({})\n", name.trim(), types.join(", ")))
    });
    lines.collect::<Option<String>>().filter(|text| !text.is_empty())
}

/// `const size_t *info` is an element of `size_t`.
fn element(parameter: &str) -> Option<String> {
    let words = parameter.replace('*', " ");
    let words: Vec<&str> = words.split_whitespace().filter(|word| *word != "const").collect();
    let (_, kind) = words.split_last()?;
    (!kind.is_empty()).then(|| kind.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_a_module_of_its_kernels() {
        let source = "extern \"C\" __global__ void f(\n    const size_t *info, // lengths, strides\n    const float *a,\n    unsigned int b\n) {}
            extern \"C\" __global__ void nothing() {}";
        let module = Module::new(&compile(source).unwrap());
        assert_eq!(module.kernel("f").unwrap(), ["size_t", "float", "unsigned int"]);
        assert!(module.kernel("nothing").unwrap().is_empty());
        assert!(module.kernel("g").is_none());
        assert!(compile("int x;").is_none());
        assert!(Module::new("").kernel("square_fwd_f32").is_some());
    }
}
