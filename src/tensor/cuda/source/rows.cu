// Numbers a row: sums of terms that are scaled by them, and what the solver asks of each row. Coefficients come in `f64`.

// y (+)= c[row] x, of rows of `columns` numbers.
KERNEL scale_rows(float *y, const float *x, const double *coefficients, index count, index columns, int add) {
  PHASE {
    ELEMENTS(BLOCK, count) {
      float scaled = x[i] * (float)coefficients[i / columns];
      y[i] = add ? y[i] + scaled : scaled;
    }
  }
}

// A product that is rounded before it is added, as on the host: the compiler does not fuse these.
#ifdef __CUDACC_RTC__
#define TIMES_float __fmul_rn
#define TIMES_double __dmul_rn
#else
#define TIMES_float(a, b) ((a) * (b))
#define TIMES_double(a, b) ((a) * (b))
#endif

// y = (c[0, row] x_0 + c[1, row] x_1 + ...) + base, which may be absent; `addresses` are those of x_j.
#define COMBINED(number)                                                                                   \
  PHASE {                                                                                                  \
    ELEMENTS(BLOCK, count) {                                                                               \
      index row = i / columns, rows = count / columns;                                                     \
      number sum = TIMES_##number((number)coefficients[row], ((const number *)addresses[0])[i]);           \
      for (int j = 1; j < terms; ++j)                                                                      \
        sum += TIMES_##number((number)coefficients[j * rows + row], ((const number *)addresses[j])[i]);    \
      y[i] = base ? sum + base[i] : sum;                                                                   \
    }                                                                                                      \
  }

KERNEL combine_f32(float *y, const float *base, const bits *addresses, const double *coefficients, int terms, index count,
                   index columns) {
  COMBINED(float)
}

KERNEL combine_f64(double *y, const double *base, const bits *addresses, const double *coefficients, int terms, index count,
                   index columns) {
  COMBINED(double)
}

// to[row] = the sum of a term over the numbers `i` of a row, which a block adds up.
#define SUM_OF_ROW(term)                                                                          \
  SHARED double sums[THREADS];                                                                    \
  index first = (index)BLOCK * columns;                                                           \
  PHASE {                                                                                         \
    double sum = 0.0;                                                                             \
    for (index i = first + thread; i < first + columns; i += THREADS) sum += (term);              \
    sums[thread] = sum;                                                                           \
  }                                                                                               \
  ADD_UP(sums)                                                                                    \
  PHASE {                                                                                         \
    if (thread == 0) to[BLOCK] = sums[0];                                                         \
  }

// The sum over a row of (a - b)^2.
KERNEL distances(float *to, const float *a, const float *b, index columns) {
  SUM_OF_ROW((double)(a[i] - b[i]) * (double)(a[i] - b[i]))
}

// Its transpose at a: ga += 2 g[row] (a - b), of rows of `columns` numbers.
KERNEL distances_back(float *ga, const float *g, const float *a, const float *b, index count, index columns) {
  PHASE {
    ELEMENTS(BLOCK, count) ga[i] += 2.0f * g[i / columns] * (a[i] - b[i]);
  }
}

// The square of an error relative to what it may be.
DEVICE double share_of(double error, double before, double after, double absolute, double relative) {
  double share = error / (fmax(fabs(before), fabs(after)) * relative + absolute);
  return share * share;
}

KERNEL error_rows(double *to, const double *error, const double *before, const double *after, double absolute, double relative,
                  index columns) {
  SUM_OF_ROW(share_of(error[i], before[i], after[i], absolute, relative))
}

// How many numbers of a row are not finite: 0 x is 0 where x is, and NaN elsewhere.
KERNEL not_finite_rows(double *to, const double *x, index columns) {
  SUM_OF_ROW(x[i] * 0.0 == 0.0 ? 0.0 : 1.0)
}
