//! Prime factors of 64-bit integers.

/// Bases that decide whether a number below 2^64 is prime, by Miller and Rabin's test.
const WITNESSES: [u64; 12] = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37];

/// The prime factors in ascending order, as often as they divide: 2, 2, 3 of 12. Of 0 and of 1 there are none.
///
/// It takes some milliseconds at most: for the product of two primes of 32 bits.
#[must_use]
pub fn factor(number: u64) -> Vec<u64> {
    let mut factors = Vec::new();
    let mut left = number;
    if left < 2 {
        return factors;
    }
    for prime in WITNESSES {
        while left.is_multiple_of(prime) {
            factors.push(prime);
            left /= prime;
        }
    }
    let mut composites = vec![left];
    while let Some(number) = composites.pop() {
        if number == 1 {
            continue;
        }
        if is_prime(number) {
            factors.push(number);
            continue;
        }
        let divisor = divisor(number);
        composites.push(divisor);
        composites.push(number / divisor);
    }
    factors.sort_unstable();
    factors
}

/// The prime factors of a number of either sign: of a negative one -1 comes first. The smallest number's
/// factors are -1 and 63 times 2.
#[must_use]
pub fn factor_signed(number: i64) -> Vec<i64> {
    let sign = (number < 0).then_some(-1);
    // A factor of 2^63 is 2, and every other absolute value fits.
    let factors = factor(number.unsigned_abs()).into_iter().filter_map(|prime| i64::try_from(prime).ok());
    sign.into_iter().chain(factors).collect()
}

fn times(left: u64, right: u64, modulus: u64) -> u64 {
    let product = u128::from(left) * u128::from(right) % u128::from(modulus);
    u64::try_from(product).unwrap_or_default()
}

fn power(base: u64, exponent: u64, modulus: u64) -> u64 {
    let (mut base, mut exponent, mut result) = (base % modulus, exponent, 1);
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = times(result, base, modulus);
        }
        base = times(base, base, modulus);
        exponent >>= 1;
    }
    result
}

/// Whether a number from 2, of which the witnesses are no proper divisors, is prime.
fn is_prime(number: u64) -> bool {
    if WITNESSES.contains(&number) {
        return true;
    }
    let twos = (number - 1).trailing_zeros();
    let odd = (number - 1) >> twos;
    WITNESSES.iter().all(|witness| {
        let mut value = power(*witness, odd, number);
        if value == 1 || value == number - 1 {
            return true;
        }
        for _ in 1..twos {
            value = times(value, value, number);
            if value == number - 1 {
                return true;
            }
        }
        false
    })
}

/// A proper divisor of an odd composite number, by Pollard's rho with Brent's batches.
fn divisor(number: u64) -> u64 {
    let root = number.isqrt();
    if root * root == number {
        return root;
    }
    // Some constant works within a few tries; trial division is there so that the loop has an end.
    (1..64)
        .find_map(|constant| rho(number, constant))
        .unwrap_or_else(|| (3..=root).step_by(2).find(|divisor| number.is_multiple_of(*divisor)).unwrap_or(number))
}

fn rho(number: u64, constant: u64) -> Option<u64> {
    /// How many differences are multiplied before a greatest common divisor is taken.
    const BATCH: u64 = 128;
    /// Far beyond the square root of the largest smallest factor.
    const MOST: u64 = 1 << 20;
    let step = |value: u64| {
        let next = u128::from(times(value, value, number)) + u128::from(constant);
        u64::try_from(next % u128::from(number)).unwrap_or_default()
    };
    let (mut fast, mut length, mut steps) = (2_u64, 1_u64, 0_u64);
    while steps < MOST {
        let slow = fast;
        (0..length).for_each(|_| fast = step(fast));
        let mut done = 0;
        while done < length {
            let before = fast;
            let mut product = 1;
            let batch = BATCH.min(length - done);
            for _ in 0..batch {
                fast = step(fast);
                product = times(product, slow.abs_diff(fast), number);
            }
            let mut common = gcd(product, number);
            if common == number {
                // Several factors in one batch: once more, one by one.
                let mut again = before;
                common = 1;
                while common == 1 {
                    again = step(again);
                    common = gcd(slow.abs_diff(again), number);
                }
            }
            if common != 1 {
                return (common != number).then_some(common);
            }
            done += batch;
            steps += batch;
        }
        length *= 2;
    }
    None
}

fn gcd(left: u64, right: u64) -> u64 {
    let (mut left, mut right) = (left, right);
    while right != 0 {
        (left, right) = (right, left % right);
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_are_prime_and_multiply_to_the_number() {
        assert_eq!(factor(42), [2, 3, 7]);
        assert!(factor(0).is_empty());
        assert!(factor(1).is_empty());
        assert_eq!(factor(37 * 37 * 41), [37, 37, 41]);
        assert_eq!(factor(u64::MAX), [3, 5, 17, 257, 641, 65_537, 6_700_417]);
        assert_eq!(factor(18_446_744_073_709_551_557), [18_446_744_073_709_551_557]);
        assert_eq!(factor(4_294_967_291 * 4_294_967_279), [4_294_967_279, 4_294_967_291]);
        assert_eq!(factor(4_294_967_291 * 4_294_967_291), [4_294_967_291, 4_294_967_291]);
        // A strong pseudoprime to the bases 2, 3, 5 and 7.
        assert_eq!(factor(3_215_031_751), [151, 751, 28_351]);
        for number in (2..20_000).chain(u64::MAX - 200..u64::MAX) {
            let factors = factor(number);
            assert_eq!(factors.iter().product::<u64>(), number);
            assert!(factors.is_sorted() && factors.iter().all(|prime| is_prime(*prime)), "{number}");
        }
    }

    #[test]
    fn primality_agrees_with_trial_division() {
        for number in 2..5_000_u64 {
            let is_prime = (2..number).take_while(|by| by * by <= number).all(|by| !number.is_multiple_of(by));
            assert_eq!(factor(number) == [number], is_prime, "{number}");
        }
    }

    #[test]
    fn the_sign_is_a_factor() {
        assert_eq!(factor_signed(-42), [-1, 2, 3, 7]);
        assert_eq!(factor_signed(-1), [-1]);
        assert_eq!(factor_signed(i64::MIN).len(), 64);
        assert_eq!(factor_signed(42), [2, 3, 7]);
    }
}
