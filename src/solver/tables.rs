//! The built-in methods, each a const table.

use super::tableau::{Embedded, Tableau};

/// Every built-in method.
pub const BUILT_IN: &[&Tableau] =
    &[&EULER, &MIDPOINT, &HEUN, &RK4, &BOGACKI_SHAMPINE, &DORMAND_PRINCE, &TSITOURAS];

// A table of a wrong shape does not compile.
const _: () = {
    let mut i = 0;
    while i < BUILT_IN.len() {
        assert!(BUILT_IN[i].well_formed());
        i += 1;
    }
};

/// Euler's method, order 1.
pub static EULER: Tableau = Tableau {
    name: "euler",
    formula: "y1 = y + h f(t, y)",
    reference: "Euler (1768); Hairer, Norsett and Wanner, Solving ODEs I, section II.1",
    order: 1,
    a: &[&[]],
    b: &[1.0],
    c: &[0.0],
    embedded: None,
};

/// The explicit midpoint rule, order 2.
pub static MIDPOINT: Tableau = Tableau {
    name: "midpoint",
    formula: "y1 = y + h f(t + h/2, y + h/2 k1)",
    reference: "Runge, Math. Ann. 46 (1895) 167-178",
    order: 2,
    a: &[&[], &[0.5]],
    b: &[0.0, 1.0],
    c: &[0.0, 0.5],
    embedded: None,
};

/// Heun's method (the explicit trapezoidal rule), order 2, with Euler's method embedded.
pub static HEUN: Tableau = Tableau {
    name: "heun",
    formula: "y1 = y + h/2 (k1 + f(t + h, y + h k1)); error from Euler's method",
    reference: "Heun, Z. Math. Phys. 45 (1900) 23-38",
    order: 2,
    a: &[&[], &[1.0]],
    b: &[0.5, 0.5],
    c: &[0.0, 1.0],
    embedded: Some(Embedded { order: 1, error: &[-0.5, 0.5] }),
};

/// The classical Runge-Kutta method, order 4.
pub static RK4: Tableau = Tableau {
    name: "rk4",
    formula: "y1 = y + h/6 (k1 + 2 k2 + 2 k3 + k4)",
    reference: "Kutta, Z. Math. Phys. 46 (1901) 435-453",
    order: 4,
    a: &[&[], &[0.5], &[0.0, 0.5], &[0.0, 0.0, 1.0]],
    b: &[1.0 / 6.0, 1.0 / 3.0, 1.0 / 3.0, 1.0 / 6.0],
    c: &[0.0, 0.5, 0.5, 1.0],
    embedded: None,
};

/// Bogacki and Shampine's pair, order 3 with an embedded order 2.
pub static BOGACKI_SHAMPINE: Tableau = Tableau {
    name: "bogacki_shampine",
    formula: "order 3(2), 4 stages, first same as last",
    reference: "Bogacki and Shampine, Appl. Math. Lett. 2 (1989) 321-325",
    order: 3,
    a: &[&[], &[0.5], &[0.0, 0.75], &[2.0 / 9.0, 1.0 / 3.0, 4.0 / 9.0]],
    b: &[2.0 / 9.0, 1.0 / 3.0, 4.0 / 9.0, 0.0],
    c: &[0.0, 0.5, 0.75, 1.0],
    embedded: Some(Embedded { order: 2, error: &[-5.0 / 72.0, 1.0 / 12.0, 1.0 / 9.0, -1.0 / 8.0] }),
};

/// Dormand and Prince's pair, order 5 with an embedded order 4.
pub static DORMAND_PRINCE: Tableau = Tableau {
    name: "dormand_prince",
    formula: "order 5(4), 7 stages, first same as last",
    reference: "Dormand and Prince, J. Comput. Appl. Math. 6 (1980) 19-26",
    order: 5,
    a: &[
        &[],
        &[1.0 / 5.0],
        &[3.0 / 40.0, 9.0 / 40.0],
        &[44.0 / 45.0, -56.0 / 15.0, 32.0 / 9.0],
        &[19372.0 / 6561.0, -25360.0 / 2187.0, 64448.0 / 6561.0, -212.0 / 729.0],
        &[9017.0 / 3168.0, -355.0 / 33.0, 46732.0 / 5247.0, 49.0 / 176.0, -5103.0 / 18656.0],
        &[35.0 / 384.0, 0.0, 500.0 / 1113.0, 125.0 / 192.0, -2187.0 / 6784.0, 11.0 / 84.0],
    ],
    b: &[35.0 / 384.0, 0.0, 500.0 / 1113.0, 125.0 / 192.0, -2187.0 / 6784.0, 11.0 / 84.0, 0.0],
    c: &[0.0, 0.2, 0.3, 0.8, 8.0 / 9.0, 1.0, 1.0],
    embedded: Some(Embedded {
        order: 4,
        error: &[
            71.0 / 57600.0,
            0.0,
            -71.0 / 16695.0,
            71.0 / 1920.0,
            -17253.0 / 339200.0,
            22.0 / 525.0,
            -1.0 / 40.0,
        ],
    }),
};

/// Tsitouras' pair, order 5 with an embedded order 4. The coefficients solve the order conditions
/// (checked in 60 digits) and are rounded once.
pub static TSITOURAS: Tableau = Tableau {
    name: "tsitouras",
    formula: "order 5(4), 7 stages, first same as last",
    reference: "Tsitouras, Comput. Math. Appl. 62 (2011) 770-775",
    order: 5,
    a: &[
        &[],
        &[0.161],
        &[-0.008480655492356989, 0.335480655492357],
        &[2.8971530571054935, -6.359448489975075, 4.3622954328695815],
        &[5.325864828439257, -11.748883564062828, 7.4955393428898365, -0.09249506636175525],
        &[5.86145544294642, -12.92096931784711, 8.159367898576159, -0.071584973281401, -0.028269050394068383],
        &[
            0.09646076681806523,
            0.01,
            0.4798896504144996,
            1.379008574103742,
            -3.290069515436081,
            2.324710524099774,
        ],
    ],
    b: &[
        0.09646076681806523,
        0.01,
        0.4798896504144996,
        1.379008574103742,
        -3.290069515436081,
        2.324710524099774,
        0.0,
    ],
    c: &[0.0, 0.161, 0.327, 0.9, 0.9800255409045097, 1.0, 1.0],
    embedded: Some(Embedded {
        order: 4,
        error: &[
            -0.0017800110522257714,
            -0.0008164344596567469,
            0.007880878010261995,
            -0.1447110071732629,
            0.5823571654525552,
            -0.45808210592918697,
            1.0 / 66.0,
        ],
    }),
};
