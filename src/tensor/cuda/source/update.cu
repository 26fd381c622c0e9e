// The optimizer: AdamW and the moving average of one parameter, and the sum of squares of its gradient.

// See `AdamStep`; what is new goes to buffers of its own, since what is old may be shared.
KERNEL adamw(float *p_to, float *m_to, float *v_to, float *e_to, const float *p, const float *m, const float *v, const float *e,
             const float *gradient, index count, float rate, float beta1, float beta2, float rest1, float rest2, float epsilon,
             float decay, float correction1, float correction2, float ema_decay, float ema_rest, float gradient_scale) {
  PHASE {
    ELEMENTS(BLOCK, count) {
      float g = gradient[i] * gradient_scale;
      float first = beta1 * m[i] + rest1 * g, second = beta2 * v[i] + rest2 * g * g;
      float direction = first * correction1 / (sqrtf(second * correction2) + epsilon) + decay * p[i];
      float parameter = p[i] - rate * direction;
      m_to[i] = first;
      v_to[i] = second;
      p_to[i] = parameter;
      e_to[i] = ema_decay * e[i] + ema_rest * parameter;
    }
  }
}

// The numbers of which a block adds up the squares.
#define STRETCH 16384

// part[block] = the sum of the squares of a stretch of x.
KERNEL squares(double *part, const float *x, index count) {
  SHARED double sums[THREADS];
  index first = (index)BLOCK * STRETCH, end = first + STRETCH < count ? first + STRETCH : count;
  PHASE {
    double sum = 0.0;
    for (index i = first + thread; i < end; i += THREADS) sum += (double)x[i] * (double)x[i];
    sums[thread] = sum;
  }
  ADD_UP(sums)
  PHASE {
    if (thread == 0) part[BLOCK] = sums[0];
  }
}
