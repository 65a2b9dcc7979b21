// Says how two runs' answers on the same images differ.

// McNemar's exact p, two-sided: twice the binomial tail of the images that only one run gets right.
function mcnemarP(onlyFirst, onlySecond) {
  const n = onlyFirst + onlySecond;
  const k = Math.min(onlyFirst, onlySecond);
  let share = 1;
  let tail = 1;
  for (let i = k; i > 0; i--) {
    share *= i / (n - i + 1);
    tail += share;
  }
  let largest = -n * Math.LN2; // the logarithm of C(n, k) / 2^n, which itself may underflow
  for (let i = 1; i <= k; i++) largest += Math.log((n - k + i) / i);
  return Math.min(1, 2 * Math.exp(largest + Math.log(tail)));
}

function countFlips(first, second, labels, classes) {
  const kinds = () => ({ both: 0, onlyFirst: 0, onlySecond: 0, none: 0 });
  const total = kinds();
  const byClass = classes.map(kinds);
  const images = { onlyFirst: [], onlySecond: [] };
  labels.forEach((label, at) => {
    const [one, other] = [first[at] === label, second[at] === label];
    const kind = one ? (other ? "both" : "onlyFirst") : other ? "onlySecond" : "none";
    total[kind]++;
    byClass[label][kind]++;
    images[kind]?.push(at);
  });
  return { total, byClass, images, p: mcnemarP(total.onlyFirst, total.onlySecond) };
}
